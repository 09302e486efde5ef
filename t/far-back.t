# Polls from far back: the cost of a poll does not grow with the distance of its
# cursor, whatever the cursor's parts are (PROTOCOL section 7). CPU time is compared
# within one run, with a wide margin: a defect costs a hundred times as much.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI qw(ask_by_fastcgi);
use Longroom;
use Test::More;

plan skip_all => 'this system has no /proc with CPU times' if !-e "/proc/$$/schedstat";

my $MESSAGES = 260_000;

# As many small messages of one room as a window can hold, and a few of another.
my $l = Longroom->start(without => ['nginx', 'pushd'], settings => { 'push.window' => '256M' });
$l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $MESSAGES)
         INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
         SELECT 1, 1, 1, 'user', 'm' || i, 1790000000000 FROM n;");
$l->start_program('pushd');

my $c = $l->connect('pushd');

sub poll {
    my ($after, %query) = @_;
    return $c->ask(Longroom::get_bytes('/rooms/room_1/poll' . Longroom::query(timeout => 0, after => $after, %query)), 60);
}

# The same without parsing the answer: that takes Perl longer than everything else.
sub fetch {
    my ($after) = @_;
    $c->write(Longroom::get_bytes("/rooms/room_1/poll?timeout=0&after=$after"));
    no warnings 'redefine';
    local *Longroom::with_json = sub { return $_[0] };
    return $c->answer(60);
}

# Nanoseconds for which the loop's thread has run.
sub loop_ns {
    my $pid = $l->pid('pushd');
    my ($ns) = split ' ', Longroom::slurp("/proc/$pid/task/$pid/schedstat");
    return $ns;
}

# The cost of some work: the minimum of three.
sub cost_ns {
    my ($work) = @_;
    my @costs;
    for (1 .. 3) {
        my $before = loop_ns();
        $work->();
        push @costs, loop_ns() - $before;
    }
    return (sort { $a <=> $b } @costs)[0];
}

sub costs_alike {
    my ($far, $near, $title) = @_;
    my $ratio = $far / $near;
    note sprintf '%s: %.1f us and %.1f us, ratio %.2f', $title, $far / 1e5, $near / 1e5, $ratio;
    # Three is the aim; a busy machine may add to it.
    cmp_ok $ratio, '<', 10, $title;
    return;
}

my $cursor;
ok $l->eventually(60, sub { my $p = poll('now'); $cursor = $p->{json}{cursor}; return $p->{status} == 200 }),
    'the window holds the log';
is poll(1)->{json}{count}, 1000, 'the room has messages';
is Longroom::message_ids(poll(1))->[0], 2, '... from its first message';

my %cost;
# Pages of 1,000 messages from different places: none has been rendered before.
for my $row ([start => 0], [end => $MESSAGES - 11_000], [middle => $MESSAGES / 2]) {
    my ($name, $from) = @$row;
    my $turn = 0;
    $cost{$name} = cost_ns(sub { fetch($from + 31 * ++$turn) for 1 .. 100 });
}
costs_alike($cost{start}, $cost{end}, 'a page from the start costs as much as one from the end');
costs_alike($cost{middle}, $cost{end}, 'so does one from the middle');

my $usual = cost_ns(sub { fetch($cursor) for 1 .. 100 });
(my $edited = $cursor) =~ s/\.\d+\z/.0/;
isnt $edited, $cursor, 'the cursor is edited to have position 0';
is poll($edited)->{json}{count}, 0, '... it gets an empty page, because the whole log is before it';
costs_alike(cost_ns(sub { fetch($edited) for 1 .. 100 }), $usual, '... and costs as much as any');
my ($id) = $cursor =~ /\A1\.\w+\.(\d+)/;
(my $behind = $cursor) =~ s/\A(1\.\w+\.)\d+/$1 . ($id - 1)/e;
my $one = cost_ns(sub { fetch($behind) for 1 .. 100 });
(my $pair = $behind) =~ s/\.\d+\z/.0/;
is_deeply Longroom::message_ids(poll($pair)), [$id], 'with an id before the end, it gets the last message';
costs_alike(cost_ns(sub { fetch($pair) for 1 .. 100 }), $one, '... and costs no more');
(my $beyond = $cursor) =~ s/\.\d+\z/.9000000000000000000/;
is poll($beyond)->{json}{cursor}, $cursor, 'a position not yet reached counts as the current one';

# The cost of a message with 64 waiters after such cursors, or after usual ones.
sub cost_of_message {
    my ($after) = @_;
    my @waiting = map { $l->connect('pushd') } 1 .. 64;
    my @costs;
    for (1 .. 3) {
        $_->write(Longroom::get_bytes("/rooms/room_1/poll?timeout=50&after=$after")) for @waiting;
        $l->eventually(20, sub {
            return $c->ask(Longroom::get_bytes('/metrics'), 20)->{content} =~ /connections\{state="waiting"\} 64\n/;
        }) or die "not all wait\n";
        my $before = loop_ns();
        ask_by_fastcgi($l->connect('history'), POST => '/rooms/room_1/messages', 'x');
        my @answers = map { $_->answer(20) } @waiting;
        push @costs, loop_ns() - $before;
        is scalar(grep { $_ && $_->{json}{count} == 1 } @answers), 64, 'all waiters get the message';
        my $newest = $answers[0]{json}{cursor};
        $after = $after =~ /\.0\z/ ? $newest =~ s/\.\d+\z/.0/r : $newest;
    }
    return (sort { $a <=> $b } @costs)[0];
}

my $with_usual = cost_of_message($cursor);
my $newest = poll('now')->{json}{cursor};
costs_alike(cost_of_message($newest =~ s/\.\d+\z/.0/r), $with_usual, 'it costs as much as with usual cursors');
$l->stop;

done_testing;
