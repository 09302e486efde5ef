#!/usr/bin/perl

# longroom-load's clients of event streams, and of several rooms, accept what PROTOCOL
# allows, however it is cut into pieces, and find what is wrong. The server here is a script, since Longroom
# does nothing wrong on demand.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Select       ();
use IO::Socket::UNIX ();
use JSON::PP ();
use Longroom;
use Test::More;

my $JSON = JSON::PP->new->utf8->canonical;
my $HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
my $RETRY_MS = 50;

# ---------------------------------------------------------------- the server

# One connection after the other is served by $script, which has the functions
#     asked($server, $stream, $head)       a stream was asked for
#     polled($server, $poller, $head)      a poll came
#     posted($server, $id, $event)         a message was saved; $event is its event
# Returns its folder, the path of its socket, its process, and a file that gets the heads.
sub serve {
    my ($script) = @_;
    my $dir = Longroom::fresh_dir();
    my $listener = IO::Socket::UNIX->new(Local => "$dir/s", Listen => 100) or die "can't listen: $!\n";
    my $heads = File::Temp->new;
    my $process = Longroom->background(sub {
        _loop({ listener => $listener, heads => $heads, newest => 0, streams => [], %$script });
    });
    return { dir => $dir, path => "$dir/s", process => $process, heads => $heads };
}

sub _loop {
    my ($server) = @_;
    my $select = IO::Select->new($server->{listener});
    my %buffer;
    while (1) {
        for my $socket ($select->can_read) {
            if ($socket == $server->{listener}) {
                my $client = $socket->accept or next;
                $select->add($client);
                next;
            }
            my $n = sysread $socket, $buffer{ fileno $socket }, 65_536, length($buffer{ fileno $socket } // '');
            if (!$n) {
                delete $buffer{ fileno $socket };
                $select->remove($socket);
                @{ $server->{streams} } = grep { $_ != $socket } @{ $server->{streams} };
                close $socket;
                next;
            }
            _request($server, $socket, \$buffer{ fileno $socket });
        }
    }
    return;
}

sub _request {
    my ($server, $socket, $buffer) = @_;
    my ($head) = $$buffer =~ /\A(.*?\r\n)\r\n/s or return;
    my ($size) = $head =~ /^Content-Length: ([0-9]+)/m;
    my $whole = length($head) + 2 + ($size // 0);
    return if length $$buffer < $whole;
    my $body = substr substr($$buffer, 0, $whole, ''), length($head) + 2;
    if ($head =~ m{\AGET /rooms/\S+/events }) {
        syswrite $server->{heads}, $head;
        push @{ $server->{streams} }, $socket;
        $server->{asked}->($server, $socket, $head);
        return;
    }
    return $server->{polled}->($server, $socket, $head) if $head =~ m{\AGET /rooms/\S+/poll\?};
    my ($room) = $head =~ m{\APOST /rooms/([^/]+)/messages } or die "what is $head\n";
    my $id = ++$server->{newest};
    my $message = $JSON->encode({ type => 'chat_message', id => $id, room_id => $room, %{ $JSON->decode($body) } });
    answer($socket, '201 Created', $message);
    $server->{posted}->($server, $id, "id: " . cursor($id) . "\ndata: $message\n\n");
    return;
}

sub answer {
    my ($socket, $status, $content) = @_;
    syswrite $socket, "HTTP/1.1 $status\r\nContent-Length: " . length($content) . "\r\n\r\n$content";
    return;
}

sub cursor { return "1.5f3a9c01.$_[0]" }

# What a stream begins with.
sub ready {
    my ($server) = @_;
    my $cursor = cursor($server->{newest});
    return "retry: $RETRY_MS\nid: $cursor\nevent: ready\ndata: {\"cursor\":\"$cursor\",\"rooms\":[]}\n\n";
}

sub chunk { return sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }

sub say_chunk {
    my ($server, $text) = @_;
    syswrite $_, chunk($text) for @{ $server->{streams} };
    return;
}

# A stream of chunks.
sub begin {
    my ($server, $stream) = @_;
    syswrite $stream, "${HEAD}Transfer-Encoding: chunked\r\n\r\n" . chunk(ready($server));
    return;
}

# The connections stay.
sub end_streams {
    my ($server) = @_;
    say_chunk($server, '');
    $server->{streams} = [];
    return;
}

sub hang_up {
    my ($server) = @_;
    shutdown $_, 2 for @{ $server->{streams} };
    return;
}

# ---------------------------------------------------------------- the client

# Runs longroom-load on a script. Returns its report, with its status, stderr and the
# heads of the requests for streams.
sub load {
    my ($script, @arguments) = @_;
    my $server = serve({ asked => \&begin, posted => sub { say_chunk($_[0], $_[2]) }, %$script });
    my $result = Longroom::run([Longroom::program('longroom-load'), '--json', "--url=unix:$server->{path}",
        $script->{polled} ? () : ('--streams'), qw(--waiters=1 --messages=4 --settle=1), @arguments], seconds => 60);
    kill KILL => $server->{process}{pid};
    eval { $server->{process}->result };
    my $found = eval { $JSON->decode($result->{stdout}) } || {};
    return { %$found, status => $result->{status}, stderr => $result->{stderr}, heads => Longroom::slurp($server->{heads}->filename) };
}

# What its checks and polls count, apart from zeros and what is usual.
sub wrong {
    my ($found) = @_;
    my %counts = (%{ $found->{checks} || {} }, map { $_ => $found->{polls}{$_} } qw(stuck refused server_errors));
    delete $counts{required};
    return { map { $counts{$_} ? ($_ => $counts{$_}) : () } keys %counts };
}

# The same, and that it passed or not.
sub finds {
    my ($title, $expected, $found) = @_;
    is_deeply(wrong($found), $expected, $title) or diag $found->{stderr};
    my %harmless = map { $_ => 1 } qw(gaps resets server_errors);
    is($found->{status}, (grep { !$harmless{$_} } keys %$expected) ? 1 : 0, '... and the exit status says so') or diag $found->{stderr};
    return;
}

# ---------------------------------------------------------------- what is right

my $extras = ":\n\n: a comment\n\nevent: news\ndata: {}\n\nid: 1.5f3a9c01.0\nevent: cursor\ndata: {}\n\n";

my $found = load({
    posted => sub {
        my ($server, undef, $event) = @_;
        syswrite $_, chunk(substr $event, 0, 7), 3 for @{ $server->{streams} };
        for my $stream (@{ $server->{streams} }) {
            # The rest of that chunk, and then a byte a chunk, and a write a byte.
            my $rest = substr(chunk(substr $event, 0, 7), 3) . join '', map { chunk($_) } split //, substr $event, 7;
            syswrite $stream, $_ for split //, $rest;
        }
    },
});
finds('events come in any pieces', {}, $found);
is($found->{deliveries}{count}, 4, 'each message is delivered');

$found = load({
    asked => sub {
        my ($server, $stream) = @_;
        syswrite $stream, "$HEAD\r\n" . ready($server) . $extras;
    },
    posted => sub { my ($server, undef, $event) = @_; syswrite $_, $extras . $event for @{ $server->{streams} } },
}, '--waiters=3');
finds('a stream need not be chunked, and may have comments and unknown events', {}, $found);
is_deeply([@{ $found->{streams} }{qw(asked unknown cursors comments)}], [3, 15, 15, 30], '... which are counted');
is($found->{deliveries}{count}, 12, 'each client gets each message');

$found = load({
    posted => sub {
        my ($server, undef, $event) = @_;
        # Lines are joined by line ends, which JSON allows between its parts.
        say_chunk($server, $event =~ s/,"id":/,\ndata:\ndata: "id":/r);
    },
});
finds('data may have several lines', {}, $found);

# ---------------------------------------------------------------- coming back

my $end = "retry: 10\nid: " . cursor(2) . "\nevent: end\ndata: {\"reason\":\"life\"}\n\n";
my %back = (
    'after an announced end' => sub { my ($server, $event) = @_; say_chunk($server, $event . $end); end_streams($server) },
    'after a hang-up'        => sub { my ($server, $event) = @_; say_chunk($server, $event); hang_up($server) },
    'after a hang-up within an event' => sub {
        my ($server, $event) = @_;
        say_chunk($server, $event . 'id: ' . cursor(3) . "\nda");
        hang_up($server);
    },
);
for my $when (sort keys %back) {
    my $again = 0;
    $found = load({
        asked => sub {
            my ($server, $stream) = @_;
            begin(@_);
            syswrite $stream, chunk($server->{kept} // '') if $again++;
        },
        posted => sub {
            my ($server, $id, $event) = @_;
            return say_chunk($server, $event) if $id == 1 || $id > 3;
            return $back{$when}->($server, $event) if $id == 2;
            # It came while the client was away.
            $server->{kept} = $event;
        },
    }, '--closed');
    finds("a client comes back $when, and lacks nothing", {}, $found);
    is_deeply([$found->{heads} =~ /^Last-Event-ID: (\S+)\r$/mg], [cursor(2)], '... from its last whole event');
    is($found->{streams}{returned}, 1, '... and is counted');
    is($found->{streams}{ends}, $when =~ /announced/ ? 1 : 0, 'announced ends are counted');
    # The third message had to wait for it.
    cmp_ok($found->{deliveries}{latency_us}{max}, '>=', ($when =~ /announced/ ? 10 : $RETRY_MS) * 1000, 'it waited as told');
}

my $problem = "retry: 10\nevent: problem\ndata: {\"type\":\"overloaded\",\"status\":503}\n\n";
for my $refusal (["longroom-pushd's problem", $problem], ["nginx's, without an event", "retry: 10\n\n"]) {
    my ($whose, $events) = @$refusal;
    my $asked = 0;
    $found = load({
        asked => sub {
            my ($server, $stream) = @_;
            return begin(@_) if $asked++;
            syswrite $stream, "${HEAD}Content-Length: " . length($events) . "\r\n\r\n$events";
            pop @{ $server->{streams} };
        },
    });
    finds("a client comes back after a refusal: $whose", { server_errors => 1 }, $found);
    is($found->{deliveries}{count}, 4, '... and gets all');
}

# ---------------------------------------------------------------- what is wrong

# What becomes of the third message's event, and of those before and behind it.
sub with_third {
    my ($change, @arguments) = @_;
    my @events;
    return load({
        posted => sub {
            my ($server, undef, $event) = @_;
            push @events, $event;
            say_chunk($server, join '', $change->(@events)) if @events == 4;
        },
    }, @arguments);
}

finds('all in one piece', {}, with_third(sub { @_ }));
finds('a missing message is lost', { lost => 1 }, with_third(sub { @_[0, 1, 3] }));
finds('one that comes again is doubled', { doubled => 1 }, with_third(sub { @_[0, 1, 2, 2, 3] }));
finds('one that comes late is out of order', { out_of_order => 1 }, with_third(sub { @_[0, 2, 1, 3] }));
finds('one that was changed is damaged', { damaged => 1, lost => 1 }, with_third(sub { $_[2] =~ s/abcdef/abcdeF/; @_ }));
finds('so is one without an id', { damaged => 1 }, with_third(sub { $_[2] =~ s/^id: \S+\n//; @_ }));
finds('... and what is no JSON', { damaged => 1, lost => 1 }, with_third(sub { $_[2] =~ s/\}\n\n/\n\n/; @_ }));
finds('a gap is counted', { gaps => 1 }, with_third(sub { @_[0 .. 3], "id: 1.5f3a9c01.4\nevent: gap\ndata: {\"rooms\":[]}\n\n" }));

$found = with_third(sub {
    my ($room) = $_[0] =~ /"room_id":"([^"]+)"/;
    my @messages = map {/^data: (.*)$/m} @_[1, 2];
    return $_[0], "id: 1.5f3a9c01.3\nevent: reset\ndata: {\"room_id\":\"$room\",\"count\":2,\"messages\":[" . join(',', @messages)
        . "],\"cursor\":\"1.5f3a9c01.3\",\"more\":false,\"reset\":true}\n\n", $_[3];
});
finds("a reset's page counts as a page", { resets => 1 }, $found);
is($found->{deliveries}{count}, 4, '... whose messages are delivered');

for my $status ('502 Bad Gateway', '401 Unauthorized') {
    my $asked = 0;
    $found = load({ asked => sub {
        my ($server, $stream) = @_;
        return begin(@_) if $asked++;
        syswrite $stream, "HTTP/1.1 $status\r\nContent-Length: 0\r\n\r\n";
        pop @{ $server->{streams} };
    } });
    finds("$status would end a browser's stream for good", { refused => 1 }, $found);
}

# ---------------------------------------------------------------- several rooms

my @rooms = qw(--rooms=4 --rooms-each=3 --first-room=1 --room-prefix=r);
# The client follows r1, r2 and r3, and the fourth message is r4's.
sub of_three {
    my ($change) = @_;
    return with_third(sub { $change->(@_) }, @rooms);
}

$found = of_three(sub { @_[0 .. 2] });
finds('a stream of several rooms', {}, $found);
like($found->{heads}, qr{\AGET /rooms/r1,r2,r3/events HTTP}, '... names them');
is($found->{deliveries}{count}, 3, '... and gets what is theirs');
finds('the order across rooms is that of the ids', { out_of_order => 1 }, of_three(sub { @_[0, 2, 1] }));
finds('none may be lost', { lost => 1 }, of_three(sub { @_[0, 2] }));
finds('... or come twice', { doubled => 1 }, of_three(sub { @_[0, 0, 1, 2] }));
finds('... or be of another room', { damaged => 2 }, of_three(sub { @_ }));

# The same by polls: $add is more members of the page.
sub poll_three {
    my ($add) = @_;
    my (@messages, $waiting);
    my $page = sub {
        my ($poller, @new) = @_;
        answer($poller, '200 OK', '{' . $add . '"count":' . @new . ',"messages":[' . join(',', @new) . '],"cursor":"'
            . cursor(scalar @messages) . '","more":false}');
    };
    return load({
        polled => sub {
            my ($server, $poller, $head) = @_;
            syswrite $server->{heads}, $head;
            $waiting = $poller;
            $page->($poller) if $head =~ /timeout=0/;
        },
        posted => sub {
            my ($server, $id, $event) = @_;
            push @messages, $event =~ /^data: (.*)$/m;
            $page->($waiting, @messages[0 .. 2]) if $id == 4;
        },
    }, @rooms);
}

$found = poll_three('');
finds('a poll of several rooms', {}, $found);
like($found->{heads}, qr{^GET /rooms/r1,r2,r3/poll\?timeout=25&after=}m, '... names them');
is($found->{deliveries}{count}, 3, '... and gets what is theirs');
finds('its page names no room', { damaged => 1 }, poll_three('"room_id":"r1",'));

my $usage = sub { return Longroom::run([Longroom::program('longroom-load'), '--messages=1', @_]) };
for (['--rooms-each=2'], [qw(--rooms=3 --rooms-each=2 --start=history)], [qw(--nchan --rooms=3 --rooms-each=2)]) {
    my $result = $usage->(@$_);
    is($result->{status}, 2, "@$_: refused");
    like($result->{stderr}, qr/--rooms-each: /, '... with the reason');
}

done_testing;
