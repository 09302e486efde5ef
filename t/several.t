# Several rooms in one poll, and all of them (PROTOCOL section 6): the form of the page,
# the order of the messages, gaps, resets, rights, and what a poll reads.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use POSIX ();
use Test::More;

our $l = Longroom->start(operator => 1);

sub poll { return $l->poll(@_) }
sub now_of { return poll($_[0], timeout => 0)->{json}{cursor} }
sub said { return join ' ', map {"$_->{room_id}:$_->{content}"} @{ $_[0]{json}{messages} } }

# What of a page is not in every page of several rooms.
sub flags {
    my ($page) = @_;
    my %rest = %{ $page->{json} };
    delete @rest{qw(count messages cursor)};
    return \%rest;
}

my $false = JSON::PP::false();
my $true  = JSON::PP::true();

# Sends to rooms in turn, waits until longroom-pushd has all of it, and returns the ids.
sub say_in {
    my (@said) = @_;
    my $room;
    my @ids = map { ($room, my $content) = split /:/, $_, 2; $l->post($room, $content)->{json}{id} } @said;
    poll($room, after => $ids[-1] - 1, timeout => 20);
    return @ids;
}

sub waiting {
    my ($path) = @_;
    my $waiting = $l->connect;
    $waiting->write(Longroom::get_bytes($path));
    is $waiting->answer(0.2), undef, "$path waits";
    return $waiting;
}

sub page_of {
    my ($waiting) = @_;
    return Longroom::with_json($waiting->answer(20) || { status => 599, headers => {}, content => '' });
}

sub reads {
    my $metrics = $l->metrics('pushd');
    return { map { $_ => $metrics->{qq(log_reads_total{kind="$_"})} } qw(room rooms all) };
}

# Removes messages, and waits until longroom-pushd knows.
sub remove {
    my ($room, @ids) = @_;
    my $before = poll($room, after => $ids[0] - 1, timeout => 0);
    $l->sql('DELETE FROM messages WHERE id IN (' . join(',', @ids) . ')');
    $l->eventually(10, sub { poll($room, after => $ids[0] - 1, timeout => 0)->{json}{gap} });
    return;
}

subtest 'a page of several rooms' => sub {
    my $after = now_of('room_1,team');
    say_in('room_1:a', 'other:no', 'team:b', 'room_1:c');
    my $page = poll('room_1,team', after => $after, timeout => 0);
    is $page->{status}, 200, 'it is answered at once';
    is said($page), 'room_1:a team:b room_1:c', 'it has what each room got, in the order of the log';
    is $page->{json}{count}, 3, 'count says how many';
    is_deeply flags($page), { more => $false }, 'it has neither room_id nor earliest';
    is said(poll('room_1,team', after => $page->{json}{cursor}, timeout => 0)), '', 'its cursor is after all of it';
    is poll('team,room_1', after => $after, timeout => 0)->{content}, $page->{content}, 'the order of the names does not matter';
    is poll('team%2Croom_1', after => $after, timeout => 0)->{content}, $page->{content}, '%2C is a comma';
    is said(poll('*', after => $after, timeout => 0)), 'room_1:a other:no team:b room_1:c', '* has every room';
    is_deeply flags(poll('*', after => $after, timeout => 0)), { more => $false }, '... in the same form';
    is poll('room_1', after => $after, timeout => 0)->{json}{room_id}, 'room_1', 'a page of one room names it';
};

subtest 'a message wakes those who wait in its room' => sub {
    my $several = waiting('/rooms/room_2,team/poll?timeout=40');
    my $all     = waiting('/rooms/*/poll?timeout=40');
    my $other   = waiting('/rooms/room_3,room_4/poll?timeout=40');
    say_in('team:hello');
    is said(page_of($several)), 'team:hello', 'several rooms';
    is said(page_of($all)), 'team:hello', 'all rooms';
    is $other->answer(0.2), undef, 'other rooms are not woken';
    say_in('room_4:you');
    is said(page_of($other)), 'room_4:you', '... until one of theirs gets a message';
    my $future = waiting('/rooms/*/poll?timeout=40');
    say_in('room_4711:first');
    is said(page_of($future)), 'room_4711:first', '* has rooms that did not exist when it was asked for';
};

subtest 'ephemeral rooms' => sub {
    my $waiting = waiting('/rooms/general,room_5/poll?timeout=40');
    $l->post('general', 'gone');
    my $page = page_of($waiting);
    is said($page), 'general:gone', 'are delivered among others';
    is_deeply flags($page), { more => $false }, 'and the page says nothing of it';
    say_in('room_5:stays');
    is said(poll('general,room_5', after => $page->{json}{cursor}, timeout => 0)), 'room_5:stays', 'its cursor is behind them';
};

subtest 'wrong lists' => sub {
    my $many = join ',', map {"r$_"} 1 .. 100;
    is poll($many, timeout => 0)->{status}, 200, '100 rooms';
    my @rows = (
        ["$many,r101",        'bad-parameter'],
        ['a,a',               'bad-room-name'],
        ['a,%61',             'bad-room-name'],
        ['a,,b',              'bad-room-name'],
        [',a',                'bad-room-name'],
        ['a,',                'bad-room-name'],
        ['a,room_026',        'bad-room-name'],
        ['a,b%20c',           'bad-room-name'],
        ['*,a',               'bad-room-name'],
        ['a,*',               'bad-room-name'],
        ['*,*',               'bad-room-name'],
        ['**',                'bad-room-name'],
        ['a,..',              'bad-room-name'],
        ['a%2Ca',             'bad-room-name'],
        ['a,' . 'x' x 65,     'bad-room-name'],
        [join(',', ('x') x 4000), qr/^bad-(?:room-name|parameter)$/],
    );
    for my $row (@rows) {
        my ($rooms, $type) = @$row;
        my $answer = poll($rooms, timeout => 0);
        my $title  = substr $rooms, 0, 30;
        is $answer->{status}, 400, "$title: 400";
        like $answer->{json}{type}, ref $type ? $type : qr/^\Q$type\E$/, '... of this type';
    }
    is $l->history('room_1,team')->{status}, 400, 'history takes one room';
    is $l->post('room_1,team', 'x')->{status}, 400, 'and so does a message';
};

subtest 'a cursor that cannot be followed' => sub {
    for my $rooms (('room_1,team', '*')) {
        my $page = poll($rooms, after => '1.0badcafe.7', timeout => 40);
        is_deeply flags($page), { more => $false, reset => $true }, "$rooms: reset";
        is_deeply $page->{json}{messages}, [], '... without messages';
        is $page->{json}{count}, 0, '... and says so';
        say_in('team:later');
        is said(poll($rooms, after => $page->{json}{cursor}, timeout => 20)), 'team:later', '... and a cursor that can';
    }
};

subtest 'messages that were removed' => sub {
    my @first = say_in('gap_a:1', 'gap_b:1', 'gap_c:1', 'gap_a:2', 'gap_b:2', 'gap_c:2');
    my $start = $first[0] - 1;
    remove('gap_a', $first[0]);
    remove('gap_b', $first[1], $first[4]);
    my $page = poll('gap_a,gap_b,gap_c', after => $start, timeout => 0);
    is said($page), 'gap_c:1 gap_a:2 gap_c:2', 'the others are there';
    is_deeply flags($page), { more => $false, gap => $true, gap_rooms => [qw(gap_a gap_b)] }, 'their rooms are named';
    is_deeply flags(poll('gap_a,gap_b,gap_c', after => $page->{json}{cursor}, timeout => 0)), { more => $false },
        '... once';
    is_deeply flags(poll('gap_a,gap_c', after => $first[0], timeout => 0)), { more => $false },
        'a cursor behind what was removed has none';
    is_deeply flags(poll('gap_a,gap_b', after => $first[3], timeout => 0)),
        { more => $false, gap => $true, gap_rooms => ['gap_b'] }, 'a room counts up to the last that was removed';
    is_deeply flags(poll('*', after => $start, timeout => 0)),
        { more => $false, gap => $true, gap_rooms => [qw(gap_a gap_b)] }, 'all rooms';
    is_deeply flags(poll('gap_a', after => $start, timeout => 0)),
        { more => $false, gap => $true, room_id => 'gap_a', earliest => $first[3] }, 'a page of one room does not name it';
};

subtest 'removals elsewhere' => sub {
    my @old = say_in(map {"elsewhere:$_"} 1 .. 5);
    say_in('quiet_a:1', 'quiet_b:1', 'elsewhere:6');
    my %cursor = map { $_ => now_of($_) } ('quiet_a', 'quiet_a,quiet_b', '*');
    my $before;
    for my $id (@old) {
        remove('elsewhere', $id);
        # The first time may read: a room that nobody asked for yet.
        $before ||= reads();
        for my $rooms (sort keys %cursor) {
            is_deeply poll($rooms, after => $cursor{$rooms}, timeout => 0)->{json}{messages}, [],
                "$rooms has nothing to get after $id was removed elsewhere";
        }
        ($cursor{'*'}) = say_in('elsewhere:more');
    }
    my $reads = reads();
    is $reads->{rooms}, $before->{rooms}, 'no poll of several rooms has read the log';
    is $reads->{all}, $before->{all}, '... nor of all';
    # remove() itself looks for the gap from before it.
    cmp_ok $reads->{room} - $before->{room}, '<', 200, '... nor of one';
};

subtest 'a long way behind' => sub {
    local $l = Longroom->start(operator => 1, settings => { 'push.window' => '64K' });
    my $start = now_of('far_a,far_b,far_c');
    $l->sql(join '', map { "INSERT INTO rooms (room_id, name) VALUES (-9$_, 'far_" . (qw(a b c))[$_] . "');" } 0 .. 2);
    $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
             INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
             SELECT -90 - i % 3, 1, 1, 'user', i, 1790000000000 FROM n;");
    $l->post('far_a', 'the last');
    $l->poll('far_a', after => 9000, timeout => 20);
    for my $rooms (('far_a,far_b,far_c', 'far_c,far_a', '*')) {
        my ($after, @got, $pages) = ($start);
        while (1) {
            my $page = poll($rooms, after => $after, timeout => 0);
            push @got, map { $_->{content} } @{ $page->{json}{messages} };
            last if $page->{json}{count} == 0 && !$page->{json}{more};
            cmp_ok $page->{json}{count}, '<=', 1000, 'a page has 1,000 messages at most' if $page->{json}{count} > 1000;
            $after = $page->{json}{cursor};
            last if ++$pages > 100;
        }
        my @expected = grep { $rooms ne 'far_c,far_a' || $_ % 3 != 1 } 1 .. 9000;
        push @expected, 'the last';
        is "@got", "@expected", "$rooms: every message once, in order";
        cmp_ok reads()->{ $rooms eq '*' ? 'all' : 'rooms' }, '>', 0, '... from the log';
    }
};

subtest 'curl -N prints all messages of the site' => sub {
    plan skip_all => 'curl is not there' if Longroom::run(['curl', '--version'])->{status};
    local $l = Longroom->start(operator => 1);
    my ($rooms, $messages) = (50, 1000);
    my $file = $l->dir . '/curl.out';
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', $file or POSIX::_exit(126);
        { no warnings 'exec'; exec 'curl', '-sN', $l->url . '/rooms/*/events' }
        POSIX::_exit(127);
    }
    ok $l->eventually(20, sub { Longroom::slurp($file) =~ /^event: ready$/m }), 'it begins';
    my ($next, @sent) = (0);
    my $crowd = $l->crowd;
    for (1 .. 8) {
        $crowd->add(sub {
            my ($answer) = @_;
            push @sent, $answer->{content} if $answer;
            return if ++$next > $messages;
            return Longroom::post_bytes('chat-' . $next % $rooms, "message $next");
        });
    }
    ok $crowd->run(60), "$rooms rooms chat";
    my @printed;
    ok $l->eventually(20, sub {
        @printed = Longroom::slurp($file) =~ /^data: (\{"type":"chat_message".*\})$/mg;
        return @printed >= $messages;
    }), 'all is printed';
    kill TERM => $pid;
    waitpid $pid, 0;
    my $id_of = sub { return $_[0] =~ /"id":([0-9]+)/ ? $1 : 0 };
    Longroom::same_list(\@printed, [sort { $id_of->($a) <=> $id_of->($b) } map { s/\s+\z//r } @sent],
        '... once, in the order of the log, as the senders were told');
    is scalar(() = Longroom::slurp($file) =~ /^event: (?!ready)/mg), 0, '... and nothing else';
    $l->stop;
};

done_testing;
