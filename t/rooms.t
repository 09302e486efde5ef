# Room names (PROTOCOL section 2): which are valid, which both programs refuse, and
# how they are stored in the database.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

my $l = Longroom->start;

my @good = (
    'room_1', 'room_26', 'room_9223372036854775807',    # numbers
    '26', 'room_', 'room_12a', 'room_-1', 'Room_26', 'room_0x1A', 'room_1.0',
    'a', 'A.b_c~d-e', '...', '.hidden', '~', '-', '_', 'rooms', 'messages', 'x' x 64,
);
for my $room (@good) {
    my $sent = $l->post($room, "in $room");
    is $sent->{status}, 201, "$room is a valid room name";
    is $sent->{json}{room_id}, $room, '... its messages have it as room_id';
    is_deeply [@{ $l->history($room)->{json} }{qw(room_id count)}], [$room, 1],
        '... it has a history of its own';
    is_deeply [@{ $l->poll($room, after => 0, timeout => 20)->{json} }{qw(room_id count)}],
        [$room, 1], '... it can be polled';
}

# Names that nginx itself would treat as parts of a path (%2F, %2e%2e, %00) are in
# bad-input.t.
my @bad = (
    'room_0', 'room_026', 'room_00', 'room_9223372036854775808', 'room_99999999999999999999',
    'x' x 65, 'room_' . '1' x 60, 'a%20b', 'caf%C3%A9', '%E2%82%AC', 'a:b', 'a,b',
    'a*b', '(a)', "a'b", 'a@b', 'a=b', 'a;b', 'a&b', 'a+b', '!a',
);
for my $room (@bad) {
    Longroom::is_problem($l->post($room, 'x'), 400, 'bad-room-name', "a POST to $room is refused");
    Longroom::is_problem($l->history($room), 400, 'bad-room-name', '... so is reading its history');
    next if $room eq 'a,b';    # the name of no room, but a list of two
    Longroom::is_problem($l->poll($room, timeout => 0), 400, 'bad-room-name', '... so is a poll');
}

is $l->post('%72oom_26', 'escaped')->{json}{room_id}, 'room_26',
    'a name may be escaped without need';

subtest 'numbered and named rooms do not collide in the database' => sub {
    is_deeply [$l->sql(q{SELECT DISTINCT room_id FROM messages WHERE content LIKE 'in room\__' ESCAPE '\'
                         AND room_id > 0;})], [1], 'room_1 is the integer 1';
    is_deeply [$l->sql(q{SELECT room_id FROM messages WHERE content = 'in room_26';})], [26],
        'room_26 is the integer 26';
    is_deeply [$l->sql(q{SELECT room_id FROM messages WHERE content LIKE 'in room_9%';})],
        ['9223372036854775807'], 'the largest number is stored exactly';
    is_deeply [$l->sql(q{SELECT count(*) FROM messages JOIN rooms USING (room_id)
                         WHERE rooms.name = '26' AND content = 'in 26' AND rooms.room_id < 0;})], [1],
        'the room 26 is a name, with a negative number';
    is_deeply [$l->sql('SELECT count(*) FROM messages WHERE room_id = 0;')], [0], 'nothing is in room 0';
    is_deeply [$l->sql('SELECT count(DISTINCT room_id) FROM messages;')], [scalar @good],
        'every name has its own number';
};

subtest 'reading an unknown room gives an empty history and creates no room' => sub {
    my ($rooms) = $l->sql('SELECT count(*) FROM rooms;');
    is $l->history('nobody-was-here')->{json}{count}, 0, 'its history is empty';
    is $l->poll('nobody-was-here', timeout => 0)->{json}{count}, 0, 'a poll is empty too';
    $l->post('nobody-was-here', ' ');
    is_deeply [$l->sql('SELECT count(*) FROM rooms;')], [$rooms],
        'neither that nor a refused message adds a row';
};

subtest 'the interface may be mounted under any prefix' => sub {
    my $direct = $l->connect('pushd');
    for my $prefix ('', '/chat', '/a/b', '/rooms/x', '/rooms') {
        my $answer = $direct->ask(Longroom::get_bytes("$prefix/rooms/room_26/poll?after=0&timeout=0"));
        is $answer->{json}{room_id}, 'room_26', "longroom-pushd answers under '$prefix'";
    }
};

$l->stop;
done_testing;
