# Reading history (PROTOCOL section 5): pages and the links between them, cursors,
# validators, single messages, and readers beside a writer.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Test::More;

my $l = Longroom->start;

my @ids;
for my $n (1 .. 25) {
    push @ids, $l->post('room_26', "message $n")->{json}{id};
    $l->post('room_27', "elsewhere $n") if $n % 3 == 0;    # other rooms use ids between
}

sub path_of_link {
    my ($answer, $rel) = @_;
    for my $link (split /,\s*(?=<)/, $answer->{headers}{link} || '') {
        my ($target, $rest) = $link =~ /^<([^>]*)>(.*)$/ or next;
        next if $rest !~ /;\s*rel="?$rel"?(?:\s*;|\s*$)/;
        return $target if $target =~ s{^http://[^/]+(?=/)}{} || $target =~ m{^/};
        return "/rooms/room_26/messages$target" if $target =~ /^\?/;
        return "/rooms/room_26/$target";
    }
    return;
}

subtest 'without parameters, the page has the newest ten messages, oldest first' => sub {
    my $answer = $l->history('room_26');
    is $answer->{status}, 200, 'the status is 200';
    is $answer->{headers}{'cache-control'}, 'no-cache', 'it may be cached, but must be revalidated';
    my $json = $answer->{json};
    is_deeply [sort keys %$json], [sort qw(room_id count messages cursor earliest more)],
        'the members are those of the protocol';
    is_deeply $l->message_ids($answer), [@ids[15 .. 24]], 'the messages are the newest ten';
    is $json->{count}, 10, 'count counts them';
    is $json->{room_id}, 'room_26', 'the room is named';
    is $json->{earliest}, $ids[0], 'earliest is the oldest of the room';
    is_deeply $json->{more}, JSON::PP::true, 'there are more';
    is_deeply $json->{messages}[9],
        $l->request(GET => "/rooms/room_26/messages/$ids[24]")->{json},
        'a single message looks the same';
};

subtest 'limit is the maximum number of messages' => sub {
    is_deeply $l->message_ids($l->history('room_26', limit => 1)), [$ids[24]], 'a limit of 1';
    my $all = $l->history('room_26', limit => 1000);
    is_deeply $l->message_ids($all), \@ids, 'a limit of 1000, in a room with fewer';
    is_deeply $all->{json}{more}, JSON::PP::false, 'and then there are no more';
    is_deeply $l->history('room_26', limit => 25)->{json}{more}, JSON::PP::false,
        'a page with the whole room says that there are no more';
    is_deeply $l->history('room_26', limit => 24)->{json}{more}, JSON::PP::true,
        'a page that lacks one message says that there are more';
};

subtest 'before gives the newest messages before an id or a cursor' => sub {
    my $page = $l->history('room_26', before => $ids[10], limit => 4);
    is_deeply $l->message_ids($page), [@ids[6 .. 9]], 'an id';
    is_deeply $page->{json}{more}, JSON::PP::true, 'there are older ones';
    is_deeply $l->history('room_26', before => $ids[4], limit => 4)->{json}{more}, JSON::PP::false,
        'or none';
    is $l->history('room_26', before => $ids[0])->{json}{count}, 0, 'nothing is before the first';
    my $cursor = $l->history('room_27', after => 0, limit => 2)->{json}{cursor};
    is_deeply $l->message_ids($l->history('room_26', before => $cursor, limit => 2)),
        [@ids[4, 5]], 'a cursor';
};

subtest 'after gives the oldest messages after an id or a cursor' => sub {
    my $page = $l->history('room_26', after => $ids[10], limit => 4);
    is_deeply $l->message_ids($page), [@ids[11 .. 14]], 'an id';
    is_deeply $page->{json}{more}, JSON::PP::true, 'there are newer ones';
    is_deeply $l->message_ids($l->history('room_26', after => $page->{json}{cursor}, limit => 3)),
        [@ids[15 .. 17]], 'a cursor';
    is_deeply $l->message_ids($l->history('room_26', after => 0, limit => 2)), [@ids[0, 1]],
        'after=0 gives the beginning';
    my $end = $l->history('room_26', after => $ids[24]);
    is $end->{json}{count}, 0, 'nothing is after the last';
    is_deeply $end->{json}{more}, JSON::PP::false, 'and there are no more';
    is $l->history('room_26', after => $end->{json}{cursor})->{json}{count}, 0,
        'an empty page has the cursor to continue from';
    is $l->history('room_26', after => $ids[24] + 1_000_000)->{json}{count}, 0,
        'an id beyond the end gives an empty page';
    is_deeply $l->message_ids($l->history('room_26', after => $ids[11] - 1, limit => 1)), [$ids[11]],
        'the id of a message of another room is accepted';
};

subtest 'a cursor is valid for every room' => sub {
    my $cursor = $l->history('room_26', after => $ids[11], limit => 1)->{json}{cursor};
    my $page   = $l->history('room_27', after => $cursor);
    is_deeply $l->message_contents($page), [map {"elsewhere $_"} 15, 18, 21, 24],
        'it marks a position in the log';
    like $cursor, qr/^[A-Za-z0-9._-]{1,64}$/, 'and needs no escaping';
};

for my $limit (1, 4, 5, 25) {
    my %start = (prev => "limit=$limit", next => "after=0&limit=$limit");
    for my $rel (qw(prev next)) {
        my $path = "/rooms/room_26/messages?$start{$rel}";
        my @seen;
        for (1 .. 40) {
            my $page = $l->request(GET => $path);
            my @page = @{ $l->message_ids($page) };
            @seen = $rel eq 'prev' ? (@page, @seen) : (@seen, @page);
            $path = path_of_link($page, $rel) or last;
        }
        is_deeply \@seen, \@ids, qq{pages of $limit by rel="$rel" have every message once};
        is $path, undef, '... and the last page has no such link';
    }
}

subtest 'a page in the middle links both ways' => sub {
    my $page = $l->history('room_26', after => $ids[9], limit => 5);
    is $page->{lines}{link}, 1, 'in one line: many clients read only one line';
    is_deeply $l->message_ids($l->request(GET => path_of_link($page, 'prev'))), [@ids[5 .. 9]],
        'to the older page of the same size';
    is_deeply $l->message_ids($l->request(GET => path_of_link($page, 'next'))), [@ids[15 .. 19]],
        'and to the newer';
};

subtest 'an unchanged page is answered with 304' => sub {
    my $path = '/rooms/room_28/messages';
    $l->post('room_28', 'one');
    my $etag = $l->request(GET => $path)->{headers}{etag};
    like $etag, qr{^W/"[^"]+"$}, 'the validator is weak';
    my $check = sub { return $l->request(GET => $path, headers => { 'If-None-Match' => $_[0] }) };
    my $same = $check->($etag);
    is $same->{status}, 304, 'the same validator gets 304';
    is $same->{content}, '', 'without a body';
    is $same->{headers}{etag}, $etag, 'and with the validator';
    is $check->(qq{"other", $etag})->{status}, 304, 'in a list too';
    is $check->('*')->{status}, 304, 'and * is any';
    (my $strong = $etag) =~ s{^W/}{};
    is $check->($strong)->{status}, 304, 'the comparison is weak';
    is $check->('"other"')->{status}, 200, 'another validator gets 200';
    $l->post('room_28', 'two');
    my $changed = $check->($etag);
    is $changed->{status}, 200, 'after a new message the old validator gets 200';
    is $changed->{json}{count}, 2, 'with the new page';
    isnt $changed->{headers}{etag}, $etag, 'and a new validator';
};

subtest 'HEAD is GET without the body' => sub {
    for my $path ('/rooms/room_26/messages', "/rooms/room_26/messages/$ids[3]") {
        my $get  = $l->request(GET => $path);
        my $head = $l->request(HEAD => $path);
        is $head->{status}, 200, "$path is answered";
        is $head->{content}, '', 'without a body';
        is_deeply [@{ $head->{headers} }{qw(content-type etag link cache-control)}],
            [@{ $get->{headers} }{qw(content-type etag link cache-control)}], 'with the same headers';
    }
    is $l->request(HEAD => '/rooms/room_26/messages/999999')->{status}, 404,
        'HEAD of a missing message gets 404';
};

subtest 'one message is read by its id' => sub {
    my $answer = $l->request(GET => "/rooms/room_26/messages/$ids[3]");
    is $answer->{json}{content}, 'message 4', 'the answer is the message';
    for my $path ("/rooms/room_27/messages/$ids[3]", '/rooms/room_26/messages/9223372036854775807',
        '/rooms/room_99/messages/1', '/rooms/nobody/messages/1')
    {
        Longroom::is_problem($l->request(GET => $path), 404, 'not-found', "$path gets 404");
    }
};

subtest 'a room without messages has an empty page' => sub {
    for my $room ('room_555', 'nobody') {
        my $answer = $l->history($room);
        is $answer->{status}, 200, "$room is answered";
        my $json = $answer->{json};
        is_deeply [@$json{qw(count messages earliest more)}], [0, [], undef, JSON::PP::false],
            'the page is empty';
        is $answer->{headers}{link}, undef, 'it has no link';
        $l->post($room, 'first');
        is_deeply $l->message_contents($l->history($room, after => $json->{cursor})), ['first'],
            'its cursor leads to the first message';
    }
};

subtest 'before and after together are refused' => sub {
    Longroom::is_problem($l->history('room_26', before => $ids[9], after => $ids[3]), 400,
        'bad-parameter', 'with bad-parameter');
};

subtest 'readers beside a writer get whole pages, in order' => sub {
    my $writer = $l->background(sub {
        my $answers = $l->send_all('busy', [map {"m$_"} 1 .. 600], clients => 4);
        return grep { $_ != 201 } map { $_->{status} } @$answers;
    });
    my @seen;
    my $cursor = 0;
    my $pages  = 0;
    my $all = $l->eventually(60, sub {
        my $page = $l->history('busy', after => $cursor, limit => 50);
        return 1 if $page->{status} != 200;
        push @seen, @{ $l->message_ids($page) };
        $cursor = $page->{json}{cursor};
        $pages++;
        return @seen >= 600;
    });
    is_deeply [$writer->result], [], 'every message was saved';
    cmp_ok $pages, '>', 1, 'some were read while others were written';
    Longroom::same_list(\@seen, [map { $_->{id} } @{ $l->whole_history('busy') }],
        'following the cursor gave every message once');
};

$l->stop;
done_testing;
