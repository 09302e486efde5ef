# The check of the torture (t/lib/TortureCheck.pm) accepts the record of a client that
# got what it must, and says what is wrong with any other. The log is a real one; the
# records of the clients are written here.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Longroom;
use Test::More;
use TortureCheck;

my $l = Longroom->start;
my $dir = Longroom::fresh_dir();

# Twelve messages in two rooms by turns, one in a third; and the cursor before each.
my (@cursors, @items, @sent, @ids);
for my $n (1 .. 12, 13) {
    my $room = $n == 13 ? 'c' : $n % 2 ? 'a' : 'b';
    push @cursors, $n == 1 ? $l->poll('a', timeout => 0)->{json}{cursor} : $l->history($n % 2 ? 'b' : 'a')->{json}{cursor};
    my $answer = $l->post($room, "m-$n", client_id => "m-$n", user_id => 'w', username => '1');
    push @ids, $answer->{json}{id};
    push @items, "$ids[-1]:1:m-$n:" . length("m-$n") . ":$room";
    push @sent, "W $n w $room m-$n 1 201 $ids[-1] $n";
}
push @cursors, $l->history('c')->{json}{cursor};

# What a check says of these lines: kinds of breaches, by name.
sub said {
    my ($lines, %options) = @_;
    Longroom::spew("$dir/seen", join '', map {"$_\n"} @{ $options{sent} || \@sent }, @$lines);
    my $check = TortureCheck->new(longroom => $l, outages => $options{outages} || [], expected => 1,
        restored => $options{restored}, foreign => $options{foreign});
    $check->judge("$dir/seen");
    return join ', ', sort keys %{ $check->breaches };
}

# A follower of a and b from the beginning on, who gets these of the messages, one
# event each, and then these lines.
sub followed {
    my ($numbers, @more) = @_;
    return [(map {"J 0 f $_ $cursors[0]"} qw(a b)), (map {"D 20 f 19 $items[$_ - 1],"} @$numbers), @more];
}

sub gets { return map {"D 20 f 19 $items[$_ - 1],"} @_ }

# ---------------------------------------------------------------- all is well

# Others send into c.
my @others = (foreign => qr{^c$}, sent => [@sent[0 .. 11]]);

is said(followed([1 .. 12])), '', 'every message of two rooms, once and in order';
is said(['J 0 f * ' . $cursors[0], 'D 20 f 19 ' . join(',', @items)]), '', 'every message of all rooms, in one page';
is said(['J 0 f * ' . $cursors[0], 'D 20 f 19 ' . join(',', @items, ('null:-:-:9:c') x 2)], @others), '',
    '... whatever others send';
is said(["J 20 f b $cursors[4]", gets(6, 8, 10, 12)]), '', 'one room, from the middle on';
is said(followed([1 .. 8], "B 20 f $cursors[4]", gets(5 .. 12))), '', 'back to an old cursor, and everything again from there';
is said(followed([1 .. 8], "J 20 f c $cursors[8]", "H 20 f c $cursors[8] $ids[12]", gets(9 .. 13))), '',
    'a room taken in: the others go on, its messages come from there on';
is said(followed([1 .. 8], "L 20 f a $cursors[8]", gets(10, 12))), '', 'a room left';
is said(followed([1 .. 12], 'D 20 f 19 null:1:u:9:a,', 'D 20 f 19 null:2:u:9:a,')), '', 'an unsaved message, and its repeat';
is said([@{ followed([1 .. 6]) }, "D 30 f 2 $items[6],", gets(8 .. 12)], outages => [[8, 26, 'history']]), '',
    'a message that came late while longroom-history was down';
is said(followed([1 .. 12], 'S 20 f silence 25 0.000 200'), outages => [[1, 19, 'pushd']]), '',
    'a silent stream while longroom-pushd was down';

# ---------------------------------------------------------------- and what is not

my @cases = (
    ['a message lost', followed([1 .. 4, 6 .. 12]), 'lost'],
    ['all of a room lost', followed([grep { $_ % 2 } 1 .. 12]), 'lost at the end'],
    ['a stuck stream: the rest never came', followed([1 .. 9]), 'lost at the end'],
    ['a message that came twice at once', followed([1 .. 5, 5 .. 12]), 'doubled or out of order'],
    ['a message that came again later', followed([1 .. 12, 5]), 'doubled or out of order'],
    ['two messages of a room in wrong order', followed([1 .. 4, 7, 6, 5, 8 .. 12]), 'doubled or out of order, lost, out of order across rooms'],
    ['wrong order across rooms', followed([1 .. 4, 6, 5, 7 .. 12]), 'out of order across rooms'],
    ['wrong order across rooms, in all rooms', ['J 0 f * ' . $cursors[0], gets(1 .. 11, 13, 12)], 'out of order across rooms'],
    ['... with a room of others', ['J 0 f * ' . $cursors[0], gets(1 .. 11, 13, 12)], 'out of order across rooms', @others],
    ['a message of a room not asked for', followed([1 .. 12, 13]), 'in a wrong room'],
    ['a message of a room that it has left', followed([1 .. 8], "L 20 f a $cursors[8]", gets(9, 10, 12)), 'in a wrong room'],
    ['a room left before all of it had come', followed([1 .. 6], "L 20 f a $cursors[8]", gets(8, 10, 12)), 'lost before leaving'],
    ['a room taken in, without its message', followed([1 .. 8], "J 20 f c $cursors[8]", gets(9 .. 12)), 'lost at the end'],
    ['a room taken in whose history ends too early', followed([1 .. 12], "J 20 f c $cursors[13]", "H 20 f c $cursors[13] 0"),
        'history is behind a cursor'],
    ['back to an old cursor, and not everything again', followed([1 .. 8], "B 20 f $cursors[4]", gets(6 .. 12)), 'lost'],
    ['a place beyond a message that was sent later', ["J 4.5 f b $cursors[6]", gets(8, 10, 12)], 'lost after joining'],
    ['another text', followed([1 .. 11], "D 20 f 19 $ids[11]:1:m-12:99:b,"), 'delivered otherwise than saved'],
    ['a message that nobody saved', followed([1 .. 12], 'D 20 f 19 99:1:m-99:4:a,'), 'delivered, not saved'],
    ['an unsaved message twice', followed([1 .. 12], ('D 20 f 19 null:1:u:9:a,') x 2), 'unsaved twice'],
    ['saved and unsaved from one attempt', followed([1 .. 12], 'D 20 f 19 null:1:m-1:3:a,'), 'saved and unsaved from one attempt'],
    ['a message that a stream got only when it was opened again', [@{ followed([1 .. 6]) }, "D 30 f 2 $items[6],", gets(8 .. 12)], 'late'],
    ['a silent stream', followed([1 .. 12], 'S 60 f silence 25 0.000 200'), 'hung'],
    ['a silent stream, longer than longroom-pushd was down', followed([1 .. 12], 'S 60 f silence 25 0.000 200'), 'hung',
        outages => [[1, 19, 'pushd']]],
    ['a gap where nothing was removed', followed([1 .. 12], 'X 20 f gap'), 'told a gap'],
    ['an event that it does not know', followed([1 .. 12], 'X 20 f event-what'), 'told a event-what'],
    ['a reset where nothing was restored', followed([1 .. 12], "X 20 f reset $cursors[12] $cursors[13]"), 'told a reset'],
    ['a cursor of no log', ['J 0 f a 1.0badbad0.0', gets(1, 3, 5, 7, 9, 11)], 'a cursor of no log'],
    ['a refusal', followed([1 .. 12], 'F 20 f 400 what'), 'refused'],
    ['a client that never joined', [], 'never joined'],
    ['a message answered and not saved', followed([1 .. 12]), 'answered but not saved', sent => [@sent, 'W 14 w a m-14 1 201 99 14']],
);
for my $case (@cases) {
    my ($title, $lines, $expected, %options) = @$case;
    is said($lines, %options), $expected, $title;
}

# ---------------------------------------------------------------- a backup was restored

# The log before was the same up to message 8, and had one more, with an id that the
# log of today gave out again.
my $lost = "$dir/lost.db";
$l->sql(".backup $lost");
my $changed = Longroom::run(['sqlite3', $lost, <<"END"]);
DELETE FROM messages WHERE id > $ids[8];
UPDATE messages SET content = 'm-lost', client_id = 'm-lost' WHERE id = $ids[8];
END
is $changed->{status}, 0, 'a log that was replaced' or diag $changed->{stderr};
$l->sql("INSERT INTO incarnations (tag, began) VALUES (7, $ids[7])");
my %restored = (restored => [{ last_id => $ids[7], lost => $lost }],
    sent => [@sent, "W 9 w a m-lost 1 201 $ids[8] 9"]);
my $new = $cursors[7] =~ s/\A1\.[0-9a-f]+/1.00000007/r;
my @ahead = (@{ followed([1 .. 8]) }, "D 20 f 19 $ids[8]:1:m-lost:6:a,");

is said(followed([1 .. 12]), %restored), '', 'behind the backup: it goes on';
is said([@ahead, "X 20 f reset $cursors[9] $new", gets(8 .. 12)], %restored), '',
    'ahead of it: a reset, and what follows';
is said([@ahead, gets(10 .. 12)], %restored), 'delivered, not saved, lost with a log', 'ahead of it, and not told';
is said([@{ followed([1 .. 4]) }, "X 20 f reset $cursors[4] $new", gets(8 .. 12)], %restored), 'told a reset',
    'behind it, and told a reset';

$l->stop;
done_testing;
