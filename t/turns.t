# Clients that ask for much do not delay those that ask for little (PROTOCOL section
# 9): each turn of longroom-pushd's loop does a share of the long work, and all of the
# short work.
#
# No time is measured. All requests are there before longroom-pushd looks at any; the
# good client's is the last of them and asks for /metrics, which show how much had been
# done for the others by then.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

my $ASKERS = 100;

# Parsing pages of 1 MiB takes Perl longer than everything else, and is not needed.
{ no warnings 'redefine'; *Longroom::with_json = sub { return $_[0] } }

sub first_id { return $_[0]{content} =~ /"id":(\d+)/ ? $1 : 'none' }

sub metrics_of {
    my ($answer) = @_;
    return { $answer->{content} =~ /^longroom_pushd_(\S+) (\S+)$/mg };
}

sub metrics {
    my ($l) = @_;
    return metrics_of($l->connect('pushd')->ask(Longroom::get_bytes('/metrics'), 60));
}

# A log with so many long messages in room_1 that each client can have a page of its
# own, and one page in room_2.
sub start {
    my (%options) = @_;
    my $l = Longroom->start(without => ['nginx', 'pushd'], settings => { 'limits.unread' => '1G',
        'limits.write_timeout' => '300s', %{ $options{settings} || {} } });
    my $count = $ASKERS + 70;
    $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count)
             INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
             SELECT 1, 1, 1, 'user', printf('%.*c', 15000, 'x'), 1790000000000 FROM n
             UNION ALL SELECT 2, 1, 1, 'user', printf('%.*c', 17100, 'x'), 1790000000000 FROM n WHERE i <= 6;");
    $l->start_program('pushd');
    return $l;
}

# Makes longroom-pushd find all of this at once; returns what the last client learns.
sub at_once {
    my ($l, @asked) = @_;
    $l->signal('pushd', 'STOP');
    $_->[0]->write($_->[1]) for @asked;
    my $last = $l->connect('pushd');
    $last->write(Longroom::get_bytes('/metrics'));
    $l->signal('pushd', 'CONT');
    my $answer = $last->answer(60) or die "the last one gets no answer\n";
    return metrics_of($answer);
}

sub page_from {
    my ($after) = @_;
    return Longroom::get_bytes("/rooms/room_1/poll?timeout=50&after=$after");
}

# Reads until each client has a page; returns the first message of each.
sub all_are_served {
    my ($l, @clients) = @_;
    my @first;
    for my $c (@clients) {
        my $answer = $c->answer(60) || {};
        push @first, ($answer->{status} // 0) == 200 ? first_id($answer) : 'none';
    }
    return \@first;
}

subtest 'many different long pages do not delay a short request' => sub {
    my $l = start();
    $l->connect('pushd')->ask(page_from(1), 60);
    my $before  = metrics($l)->{pages_rendered_total};
    my @clients = map { $l->connect('pushd') } 1 .. $ASKERS;
    my $found   = at_once($l, map { [$clients[$_] => page_from($_)] } keys @clients);
    cmp_ok $found->{pages_rendered_total} - $before, '<', $ASKERS / 4,
        'few pages are rendered before the short request is answered';
    cmp_ok $found->{waiting_pages}, '>', $ASKERS / 2, 'the others wait, and a metric counts them';
    Longroom::same_list(all_are_served($l, @clients), [1 .. $ASKERS],
        'in the end each client has its own page');
    is metrics($l)->{waiting_pages}, 0, 'then none waits';
    $l->stop;
};

subtest 'long pages read from the log are rendered for all' => sub {
    my $l = start(settings => { 'push.window' => '64K' });
    my @clients = map { $l->connect('pushd') } 1 .. $ASKERS;
    my $before  = metrics($l)->{pages_rendered_total};
    # One read of the room is under way, and all others join the next.
    $l->signal('pushd', 'STOP');
    $clients[$_]->write(page_from($_)) for keys @clients;
    $l->signal('pushd', 'CONT');
    ok $l->eventually(60, sub { metrics($l)->{pages_rendered_total} - $before >= $ASKERS }),
        'all are rendered in the end';
    Longroom::same_list(all_are_served($l, @clients), [1 .. $ASKERS], 'each client has its own page');
    $l->stop;
};

subtest 'one long page for many does not delay a short request' => sub {
    my $l = start();
    # It is rendered once; copying it to each client takes the time.
    $l->connect('pushd')->ask(page_from(1), 60);
    my @clients = map { $l->connect('pushd') } 1 .. $ASKERS;
    my $found   = at_once($l, map { [$_ => page_from(1)] } @clients);
    cmp_ok $found->{put_off_connections}, '>', $ASKERS / 2,
        'the page is not written to all before the short request is answered';
    Longroom::same_list(all_are_served($l, @clients), [(2) x $ASKERS], 'in the end each client has it');
    is metrics($l)->{put_off_connections}, 0, 'then nothing is put off';
    $l->stop;
};

# Ten of these, and a piece as long as a short answer, make up a turn.
subtest 'a long page that leaves a short rest of a turn does not delay a short request' => sub {
    my $l = start();
    my $page  = Longroom::get_bytes('/rooms/room_2/poll?timeout=50&after=0');
    my $bytes = length($l->connect('pushd')->ask($page, 60)->{content}) + 250;
    my $piece = 1024 * 1024 - 10 * $bytes;
    ok $piece > 0 && $piece < 16 * 1024, 'the page is of that size' or diag "$bytes bytes";
    my @clients = map { $l->connect('pushd') } 1 .. $ASKERS;
    my $found   = at_once($l, map { [$_ => $page] } @clients);
    cmp_ok $found->{put_off_connections}, '>', $ASKERS / 2,
        'the page is not written to all before the short request is answered';
    is scalar(grep { my $a = $_->answer(60); $a && length($a->{content}) + 250 == $bytes } @clients), $ASKERS,
        'in the end each client has it';
    $l->stop;
};

subtest 'many pipelined requests do not delay a short one' => sub {
    my $l = start();
    $l->connect('pushd')->ask(Longroom::get_bytes('/rooms/quiet/poll?timeout=0'), 60);
    my $short   = Longroom::get_bytes('/rooms/quiet/poll?timeout=0');
    my $many    = 200;
    my @clients = map { $l->connect('pushd') } 1 .. 20;
    my $before  = metrics($l)->{empty_answers_total};
    my $found   = at_once($l, map { [$_ => $short x $many] } @clients);
    cmp_ok $found->{empty_answers_total} - $before, '<', @clients * $many / 4,
        'few are answered before the short request';
    my $answers = 0;
    for my $c (@clients) { for (1 .. $many) { my $a = $c->answer(60) or last; $answers++ if $a->{status} == 200 } }
    is $answers, @clients * $many, 'all of them are answered in the end';
    $l->stop;
};

subtest 'polls that time out together do not delay a short request' => sub {
    my $l = start();
    my @clients = map { $l->connect('pushd') } 1 .. 5 * $ASKERS;
    $_->write(Longroom::get_bytes('/rooms/quiet/poll?timeout=1')) for @clients;
    ok $l->eventually(20, sub { metrics($l)->{'connections{state="waiting"}'} == @clients }), 'the polls wait';
    my $before = metrics($l)->{empty_answers_total};
    $l->signal('pushd', 'STOP');
    select undef, undef, undef, 1.2;    # past their timeout
    my $found = at_once($l);
    cmp_ok $found->{empty_answers_total} - $before, '<=', @clients / 2,
        'not all are answered before the short request';
    is scalar(grep { my $a = $_->answer(20); $a && $a->{status} == 200 } @clients), scalar @clients,
        'all are answered in the end';
    $l->stop;
};

done_testing;
