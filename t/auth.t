# Who may read and who may write: a table over the shipped configuration of nginx,
# in both modes that identify users (PROTOCOL section 12).

use strict;
use warnings;
use utf8;

use FindBin      ();
use lib "$FindBin::Bin/lib";
use Longroom;
use MIME::Base64 ();
use Stream;
use Test::More;
use Time::HiRes ();
use Visitors;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my %VISITORS = (
    ann    => { id => '2', name => 'Ann B.', read => 'team_red lobby-*', write => 'team_red' },
    bob    => { name => 'bob', read => 'team_blue', write => 'team_blue', type => 'bot' },
    chief  => { read => '*', write => '*' },
    reader => { read => 'room_* team_???' },
    writer => { write => 'team_red' },
    stars  => { read => 'x **' },
    most   => { read => '?*' },
    eve    => {},
);

# Rooms with a message: team_red, team_blue, news, lobby-1. Everybody may read news.
# empty-1 has none.
#
# Statuses of: a page of history, an existing message, a missing message, a poll,
# HEAD, POST.
my @TABLE = map { [split] } split /\n/, <<'END';
-      team_red   401 401 401 401 401 401
-      team_blue  401 401 401 401 401 401
-      empty-1    401 401 401 401 401 401
-      news       200 200 404 200 200 401
ann    team_red   200 200 404 200 200 201
ann    team_blue  403 403 403 403 403 403
ann    empty-1    403 403 403 403 403 403
ann    lobby-1    200 200 404 200 200 403
ann    news       200 200 404 200 200 403
bob    team_red   403 403 403 403 403 403
bob    team_blue  200 200 404 200 200 201
bob    team_blu   403 403 403 403 403 403
bob    team_bluee 403 403 403 403 403 403
chief  team_red   200 200 404 200 200 201
chief  empty-2    200 404 404 200 200 201
reader team_red   200 200 404 200 200 403
reader team_blue  403 403 403 403 403 403
reader room_26    200 404 404 200 200 403
writer team_red   403 403 403 403 403 201
writer team_blue  403 403 403 403 403 403
eve    team_red   403 403 403 403 403 403
eve    empty-1    403 403 403 403 403 403
eve    news       200 200 404 200 200 403
END

# Several rooms, and all of them: the status; which may be read, in the order of the
# request; which are forbidden. The same holds for a poll and for a stream.
my @SEVERAL = map { [split] } split /\n/, <<'END';
-      news,team_red                 200 news             team_red
-      empty-1,news,team_blue        200 news             empty-1,team_blue
-      team_red,team_blue            401
-      empty-1,empty-2               401
-      *                             401
ann    lobby-1,team_red              200 lobby-1,team_red
ann    team_red,news                 200 team_red,news
ann    team_blue,team_red,empty-1    200 team_red         team_blue,empty-1
ann    team_blue,news                200 news             team_blue
ann    team_blue,empty-1             403
ann    *                             403
bob    team_blue,team_blu,team_bluee 200 team_blue        team_blu,team_bluee
chief  team_blue,empty-1,team_red    200 team_blue,empty-1,team_red
chief  *                             200 *
reader room_26,team_blue,team_red    200 room_26,team_red team_blue
reader team_blue,lobby-1             403
reader *                             403
writer team_red,news                 200 news             team_red
writer team_red,team_blue            403
stars  team_red,team_blue            200 team_red,team_blue
stars  *                             200 *
most   team_red,team_blue            200 team_red,team_blue
most   *                             403
eve    team_red,news,empty-1         200 news             team_red,empty-1
eve    team_red,team_blue            403
eve    *                             403
END

sub start {
    my ($mode, %settings) = @_;
    my %all = ('auth.anonymous_read' => 'news', 'limits.user_sends' => 10_000, 'limits.user_burst' => 10_000, %settings);
    return Visitors::start($mode, \%VISITORS, operator => 1, settings => \%all);
}

my ($l, $mode);

sub ask {
    my ($who, $method, $path, %options) = @_;
    my %headers = (%{ Visitors::headers($mode, $who) }, %{ delete $options{headers} || {} });
    return $l->request($method, $path, headers => \%headers, %options);
}

sub say_in {
    my ($who, $room, %fields) = @_;
    my $body = JSON::PP->new->utf8->encode({ content => 'Hello', %fields });
    return ask($who, POST => "/rooms/$room/messages", content => $body,
        headers => { 'Content-Type' => 'application/json' });
}

# The lines of a visitor's request, and of one that has more.
sub lines_of {
    my ($who, $more) = @_;
    my $headers = Visitors::headers($mode, $who);
    return [(map {"$_: $headers->{$_}"} sort keys %$headers), @{ $more || [] }];
}

sub open_stream {
    my ($who, $rooms, $query, %options) = @_;
    my $lines = lines_of($who, delete $options{headers});
    return Stream->open($l, "/rooms/$rooms/events" . ($query // ''), to => 'nginx', headers => $lines, %options);
}

# The answer to a request that gets no stream.
sub ask_for_events {
    my ($who, $path, %options) = @_;
    my $lines = lines_of($who, delete $options{headers});
    return $l->connect->ask(Stream::request($path, headers => $lines, %options), 20, $options{method})
        || { status => 'none', headers => {}, content => '' };
}

# An answer without the parts that differ each time.
sub shape {
    my ($answer) = @_;
    my %headers = %{ $answer->{headers} };
    delete @headers{qw(date)};
    return { status => $answer->{status}, headers => \%headers, content => $answer->{content} };
}

for (qw(nginx token)) {
    $mode = $_;
    $l = start($mode);
    my %id = map { $_ => say_in('chief', $_)->{json}{id} } qw(team_red team_blue news lobby-1);

    for my $row (@TABLE) {
        my ($who, $room, @expected) = @$row;
        my $name = $who eq '-' ? 'nobody' : $who;
        $who = undef if $who eq '-';
        my $id = $id{$room} || 1;
        my @answers = (
            ask($who, GET  => "/rooms/$room/messages"),
            ask($who, GET  => "/rooms/$room/messages/$id"),
            ask($who, GET  => "/rooms/$room/messages/999999"),
            ask($who, GET  => "/rooms/$room/poll?timeout=0"),
            ask($who, HEAD => "/rooms/$room/messages"),
            say_in($who, $room),
        );
        my @verbs = ('reads', 'reads a message of', 'reads no message of', 'polls', 'asks for the head of', 'sends to');
        is $answers[$_]{status}, $expected[$_], "$mode: $name $verbs[$_] $room: $expected[$_]" for 0 .. $#verbs;
        for my $answer (@answers) {
            my $challenge = $answer->{headers}{'www-authenticate'};
            next if ($answer->{status} == 401) == defined $challenge;
            fail "$mode: $name, $room: a challenge comes with 401, and only with 401";
        }
    }

    for my $row (@SEVERAL) {
        my ($who, $rooms, $status, $allowed, $forbidden) = @$row;
        my $name = $who eq '-' ? 'nobody' : $who;
        $who = undef if $who eq '-';
        subtest "$mode: $name follows $rooms" => sub {
            follows($who, $rooms, $status, [split /,/, $allowed // ''], [split /,/, $forbidden // '']);
        };
    }

    subtest "$mode: whether other rooms exist cannot be told either" => sub {
        for my $who (undef, 'eve') {
            for my $path (map { my $verb = $_; map {"$verb$_"} '', '?after=x', '?timeout=99' } qw(poll events)) {
                for my $method (qw(GET HEAD)) {
                    next if $method eq 'HEAD' && $path =~ /poll/;
                    my @answers = map { shape(ask_for_events($who, "/rooms/$_/$path", method => $method)) }
                        'team_red,team_blue', 'team_xxx,team_yyyy', 'team_red,team_yyyy', 'team_xxx,lobby-1';
                    is_deeply $_, $answers[0], ($who // 'nobody') . " asks for $path by $method" for @answers[1 .. 3];
                    is $answers[0]{status}, $who ? 403 : 401, '... and is refused for lack of rights alone';
                }
            }
            my @one = map { shape(ask_for_events($who, "/rooms/$_/events")) } 'team_red', 'team_xxx';
            is_deeply $one[0], $one[1], 'nor of one room, by a stream';
            my ($red, $none) = map { ask_for_events($who, "/rooms/news,$_/poll?after=0&timeout=0")->{content} } 'team_red', 'team_xxx';
            is $none, $red =~ s/"team_red"/"team_xxx"/r, 'nor by a page about others';
        }
    };

    subtest "$mode: an existing room cannot be told from a missing one" => sub {
        for my $who (undef, 'eve') {
            for my $path (qw(messages messages/1 poll poll?after=x messages?after=x messages?limit=0 poll?timeout=99)) {
                my @answers = map { shape(ask($who, GET => "/rooms/$_/$path")) } 'team_red', 'team_xxx';
                is_deeply $answers[0], $answers[1], ($who // 'nobody') . " asks for $path";
                is $answers[0]{status}, $who ? 403 : 401, '... and is refused for lack of rights alone';
            }
        }
    };

    subtest "$mode: the sender is the authenticated user" => sub {
        my $mine = say_in('ann', 'team_red', user_id => '1', username => 'root', sender_type => 'admin')->{json};
        is "$mine->{user_id} $mine->{username} $mine->{sender_type}", '2 Ann B. user', 'whatever the body says';
        my $bot = say_in('bob', 'team_blue')->{json};
        is "$bot->{user_id} $bot->{username} $bot->{sender_type}", 'bob bob bot', 'the sender_type too';
        my $read = ask('bob', GET => "/rooms/team_blue/messages/$bot->{id}")->{json};
        is_deeply $read, $bot, 'history says the same';
        my $form = ask('ann', POST => '/rooms/team_red/messages', content => 'content=x&user_id=1&username=root&sender_type=admin',
            headers => { 'Content-Type' => 'application/x-www-form-urlencoded' })->{json};
        is "$form->{user_id} $form->{username} $form->{sender_type}", '2 Ann B. user', 'in a form too';
    };

    subtest "$mode: two users may use the same client_id" => sub {
        my @answers = map { say_in($_, 'team_red', client_id => 'same') } qw(ann chief ann);
        is "@{[map { $_->{status} } @answers]}", '201 201 200', 'each has their own message';
    };

    subtest "$mode: answers may not be cached for other users" => sub {
        my $page = ask('ann', GET => '/rooms/team_red/messages');
        like $page->{headers}{'cache-control'}, qr/\bprivate\b/, 'history is private';
        my $again = ask('eve', GET => '/rooms/team_red/messages',
            headers => { 'If-None-Match' => $page->{headers}{etag} });
        is $again->{status}, 403, 'a known ETag does not reveal whether the page changed';
        my @errors = ($again, map { ask(@$_) } ['ann', GET => '/rooms/team_red/messages/999999'],
            [undef, GET => '/rooms/team_red/messages'], [undef, GET => '/rooms/team_red/poll']);
        is_deeply [map { $_->{headers}{'cache-control'} } @errors], [('no-store') x @errors],
            'errors may not be stored at all';
    };

    subtest "$mode: a crowd of different users gets what each may read" => sub {
        my %polls = map {
            my $who = $_;
            my $headers = join '', map {"$_: " . Visitors::headers($mode, $who)->{$_} . "\r\n"}
                keys %{ Visitors::headers($mode, $who) };
            my $c = $l->connect;
            $c->write("GET /rooms/team_red/poll?timeout=30 HTTP/1.1\r\nHost: localhost\r\n$headers\r\n");
            ($who => $c);
        } qw(ann bob chief eve reader);
        is $polls{$_}->answer->{status}, 403, "$_ is refused at once" for qw(bob eve);
        $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 3 }) or fail 'three wait';
        say_in('chief', 'team_red', content => 'for readers only');
        for (qw(ann chief reader)) {
            my $answer = $polls{$_}->answer;
            is_deeply $answer->{json} && Longroom::message_contents($answer), ['for readers only'], "$_ gets it";
        }
    };
    $l->stop;
}

# Asks by a poll and by a stream.
sub follows {
    my ($who, $rooms, $status, $allowed, $forbidden) = @_;
    my $poll = ask($who, GET => "/rooms/$rooms/poll?after=0&timeout=0");
    is $poll->{status}, $status, "a poll: $status";
    if ($status != 200) {
        my $refused = ask_for_events($who, "/rooms/$rooms/events?after=0");
        Longroom::is_problem($refused, $status, $status == 401 ? 'unauthorized' : 'forbidden', 'a stream is refused too');
        is defined $refused->{headers}{'www-authenticate'}, $status == 401, '... with a challenge if it is 401';
        return;
    }
    my %known = map { $_ => 1 } qw(team_red team_blue news lobby-1);
    my %may   = map { $_ => 1 } $allowed->[0] eq '*' ? keys %known : @$allowed;
    is_deeply $poll->{json}{forbidden}, @$forbidden ? $forbidden : undef, '... names what is forbidden';
    my %got = map { $_->{room_id} => 1 } @{ $poll->{json}{messages} };
    is_deeply [grep { !$got{$_} } grep { $known{$_} } keys %may], [], '... has all others';
    is_deeply [grep { !$may{$_} && $known{$_} && $allowed->[0] ne '*' } keys %got], [], '... and only those';

    my $s = open_stream($who, $rooms);
    my $ready = $s->next;
    is $ready->{event}, 'ready', 'a stream is ready';
    is_deeply $ready->{json}{rooms}, $allowed, '... for what is allowed';
    is_deeply $ready->{json}{forbidden}, @$forbidden ? $forbidden : undef, '... names what is forbidden';
    my ($first) = $allowed->[0] eq '*' ? 'team_red' : @$allowed;
    say_in('chief', $_, content => 'secret') for @$forbidden, @$forbidden ? () : $allowed->[0] eq '*' ? () : 'elsewhere';
    say_in('chief', $first, content => 'open');
    my $event = $s->next;
    is "$event->{json}{room_id} $event->{json}{content}", "$first open", '... and has only messages that may be read';
    $s->close;
    return;
}

subtest 'open: everybody may follow every room' => sub {
    $l = Longroom->start(operator => 1);
    $l->post('team_red', 'Hello');
    for my $rooms ('team_red,team_blue', '*') {
        my $page = $l->poll($rooms, after => 0, timeout => 0);
        is "$page->{status} $page->{json}{count}", '200 1', "a poll of $rooms";
        ok !exists $page->{json}{forbidden}, '... nothing is forbidden';
        my $s = Stream->open($l, "/rooms/$rooms/events?after=0", headers => ['Longroom-User-Id: 1', 'Longroom-Read: nothing']);
        is_deeply $s->next->{json}{rooms}, [split /,/, $rooms], 'a stream';
        is $s->contents(1), 'Hello', '... whatever a header says';
        $s->close;
    }
    $l->stop;
};

subtest 'an invalid or expired token gets no stream' => sub {
    ($mode, $l) = ('token', start('token'));
    my $good = Visitors::token('chief');
    my %rows = (
        'no token'                  => ['x', 'unauthorized'],
        'a changed token'           => [$good =~ s/(.{9})\z/reverse $1/er, 'unauthorized'],
        'an expired one'            => [Visitors::token('chief', exp => time - 100), 'token-expired'],
        'one that is not valid yet' => [Visitors::token('chief', nbf => time + 1000), 'unauthorized'],
    );
    for my $what (sort keys %rows) {
        my ($token, $type) = @{ $rows{$what} };
        for my $path (map { ("/rooms/$_/events", "/rooms/$_/poll?timeout=0") } 'news', 'news,team_red', '*') {
            my $answer = ask_for_events(undef, $path, headers => ["Authorization: Bearer $token"]);
            Longroom::is_problem($answer, 401, $type, "$what: $path");
            like $answer->{headers}{'www-authenticate'} // '', qr/error="invalid_token"/, '... and it is named' if $what ne 'no token';
        }
    }
    for my $other ('a', $good) {
        my @two = map {"Authorization: Bearer $_"} $good, $other;
        is ask_for_events(undef, '/rooms/news,team_red/events', headers => \@two)->{status}, 400, 'a token given twice';
    }
    $l->stop;
};

subtest 'streams and pages of other origins' => sub {
    for (qw(nginx token)) {
        $mode = $_;
        $l = start($mode, 'auth.origins' => 'https://app.example', 'limits.user_polls' => 1);
        my $listed = 'Origin: https://app.example';
        for my $path (map { ("/rooms/$_/events", "/rooms/$_/poll?timeout=0") } 'team_red', 'team_red,news', '*') {
            my $preflight = ask_for_events(undef, $path, method => 'OPTIONS', headers => [$listed]);
            is $preflight->{status}, 204, "$mode: a preflight of $path";
            is $preflight->{headers}{'access-control-allow-origin'}, 'https://app.example', '... allows the origin';
            is ask_for_events(undef, $path, method => 'OPTIONS', headers => ['Origin: https://other.example'])->{status}, 405,
                '... not of an origin that is not listed';
            my %post = (method => 'POST', headers => [$listed, 'Content-Length: 0']);
            my $answer = ask_for_events('chief', $path, %post);
            Longroom::is_problem($answer, 405, 'method-not-allowed', 'a POST is refused');
            is $answer->{headers}{allow}, $path =~ /events/ ? 'GET, HEAD' : 'GET', '... Allow';
            is_deeply shape($answer), shape(ask_for_events(undef, $path, %post)), '... whoever asks';
        }
        my $allows = qr{^Access-Control-Allow-Origin: https://app\.example\r$}m;
        my $other = open_stream('chief', 'team_red,news', '', headers => ['Origin: https://other.example']);
        $other->next;
        unlike $other->{head}, qr/^Access-Control/m, 'a stream for another origin has no headers for it';
        like $other->{head}, qr/^Vary: Origin\r$/m, '... but Vary';
        my $full = open_stream('chief', 'team_red,news', '', headers => [$listed]);
        is $full->next->{event}, 'problem', 'a problem told by an event';
        like $full->{head}, $allows, '... has the headers';
        like $full->{head}, qr/^Access-Control-Allow-Credentials: true\r$/m, '... for cookies too';
        $_->close for $other, $full;
        ok $l->eventually(20, sub { $l->metrics('pushd')->{streams} == 0 }), 'they leave';
        for my $rooms ('team_red', 'team_blue,team_red', '*') {
            my $s = open_stream('chief', $rooms, '', headers => [$listed]);
            is $s->next->{event}, 'ready', "$rooms for a listed origin";
            like $s->{head}, $allows, '... has the headers';
            $s->close;
            ok $l->eventually(20, sub { $l->metrics('pushd')->{streams} == 0 }), 'it leaves';
            my $head = ask_for_events('chief', "/rooms/$rooms/events", method => 'HEAD', headers => [$listed]);
            is "$head->{status} $head->{headers}{'access-control-allow-origin'}", '200 https://app.example', 'HEAD has them';
            is ask_for_events('eve', "/rooms/$rooms/events", method => 'HEAD')->{status}, 403, 'HEAD needs the right';
            my $refused = ask_for_events('eve', "/rooms/$rooms/events", headers => [$listed]);
            is "$refused->{status} $refused->{headers}{'access-control-allow-origin'}", '403 https://app.example', 'so does a refusal';
        }
        $l->stop;
    }
};

# nginx asks the application once for a stream, so the stream's end is what revokes.
subtest 'a user who is thrown out stops receiving within push.stream_life' => sub {
    my $dir   = Longroom::fresh_dir();
    my $nginx = Visitors::asked_at("$dir/application.sock");
    $nginx->{http} = <<"END";
server {
    listen unix:$dir/application.sock;
    set \$may_read "team_red team_blue lobby-*";
    if (-e $dir/thrown-out) { set \$may_read "lobby-*"; }
    add_header Longroom-User-Id ann;
    add_header Longroom-Read \$may_read;
    add_header Longroom-Write "*";
    return 204;
}
END
    my %settings = ('auth.mode' => 'nginx', 'push.stream_life' => '2s');
    ($mode, $l) = ('nginx', Longroom->start(settings => \%settings, nginx => $nginx, operator => 1));
    my $begin = Time::HiRes::time();
    my $s = open_stream(undef, 'team_red,team_blue,lobby-1');
    is $s->next->{event}, 'ready', 'a stream begins';
    say_in(undef, 'team_red', content => 'before');
    is $s->contents(1), 'before', 'it has a message';
    Longroom::spew("$dir/thrown-out", '');
    ok $s->is_over(10), 'the stream ends';
    cmp_ok Time::HiRes::time() - $begin, '<', 2.5, '... in time';
    my $end = $s->{events}[-1];
    is "$end->{event} $end->{data}", 'end {"reason":"life"}', '... because its time is up';
    say_in(undef, 'team_red', content => 'not for ann');
    say_in(undef, 'lobby-1', content => 'for ann');
    my $again = open_stream(undef, 'team_red,team_blue,lobby-1', '', headers => ["Last-Event-ID: $end->{id}"]);
    is_deeply $again->next->{json}{forbidden}, ['team_red', 'team_blue'], 'the next request gets less';
    is $again->contents(1), 'for ann', '... and no message from there';
    is ask_for_events(undef, '/rooms/team_red/events', headers => ["Last-Event-ID: $end->{id}"])->{status}, 403,
        '... or is refused';
    $_->close for $s, $again;
    $l->stop;
};

subtest 'a failing application denies access, and the answer names the problem' => sub {
    my %rows = (
        'return 401;' => [401, 'unauthorized', 'Site realm="longroom"'],
        'add_header WWW-Authenticate "Negotiate" always; return 401;' => [401, 'unauthorized', 'Negotiate'],
        'return 403;'        => [403, 'forbidden'],
        'return 500;'        => [503, 'overloaded'],
        'return 302 /login;' => [503, 'overloaded'],
        'return 404;'        => [503, 'overloaded'],
        ''                   => [503, 'overloaded'],    # it is down
    );
    for my $does (sort keys %rows) {
        my ($status, $type, $challenge) = @{ $rows{$does} };
        my $dir = Longroom::fresh_dir();
        my $nginx = Visitors::asked_at("$dir/application.sock");
        $nginx->{http} = "server {\n    listen unix:$dir/application.sock;\n    $does\n}\n" if $does;
        $l = Longroom->start(settings => { 'auth.mode' => 'nginx', 'auth.anonymous_read' => '*' }, nginx => $nginx);
        for my $ask ([GET => 'messages'], [GET => 'poll?timeout=0'], [POST => 'messages', content => 'Hello']) {
            my ($method, $path, @content) = @$ask;
            my $answer = $l->request($method => "/rooms/team_red/$path", @content);
            Longroom::is_problem($answer, $status, $type, "'$does': $method $path");
            is $answer->{headers}{'www-authenticate'}, $challenge, '... and how to log in' if $challenge;
        }
        $l->stop;
    }
};

subtest 'an unauthenticated client is told what is missing' => sub {
    my %missing = (nginx => qr/^the request is unauthenticated/, token => qr/^there is no token: .*Authorization: Bearer/);
    for my $mode (sort keys %missing) {
        $l = Visitors::start($mode, { ann => { read => 'team_red' } });
        for my $path ('messages', 'poll?timeout=0') {
            my $answer = $l->request(GET => "/rooms/team_red/$path", headers => { Authorization => 'a.b.c' });
            like $answer->{json}{detail}, $missing{$mode}, "$mode: $path";
            unlike $answer->{headers}{'www-authenticate'}, qr/error=/, '... and not that a token was invalid';
        }
        $l->stop;
    }
};

# In the server, as doc/private-rooms.md says, or in a file that the locations include.
for my $where ('server', 'longroom-auth-basic.conf') {
    subtest "nginx alone may authenticate: $where" => sub {
        my $dir = Longroom::fresh_dir();
        Longroom::spew("$dir/chat.users", "ann:{PLAIN}red apple\n");
        my $lines = <<"END";
auth_basic "Chat"; auth_basic_user_file $dir/chat.users;
set \$longroom_user_id \$remote_user; set \$longroom_read "team_*"; set \$longroom_write "team_*";
END
        Longroom::spew("$dir/$where", $lines) if $where ne 'server';
        $l = Longroom->start(dir => "$dir", settings => { 'auth.mode' => 'nginx' },
            nginx => { $where eq 'server' ? (server => $lines) : () });
        nginx_knows_ann();
        $l->stop;
    };
}

sub nginx_knows_ann {
    my %good = (Authorization => 'Basic ' . MIME::Base64::encode_base64('ann:red apple', ''));
    my %bad  = (Authorization => 'Basic ' . MIME::Base64::encode_base64('ann:blue', ''));
    for my $path ('messages', 'poll?timeout=0') {
        is $l->request(GET => "/rooms/team_red/$path", headers => \%good)->{status}, 200, "$path: with the password";
        is $l->request(GET => "/rooms/other/$path", headers => \%good)->{status}, 403, "$path: not in other rooms";
        Longroom::is_problem($l->request(GET => "/rooms/team_red/$path", headers => $_), 401, 'unauthorized',
            "$path: not without it") for \%bad, {};
    }
    my $sent = $l->request(POST => '/rooms/team_red/messages', headers => { %good, 'Content-Type' => 'text/plain' },
        content => 'Hello');
    is "$sent->{status} $sent->{json}{user_id}", '201 ann', 'the sender has that name';
    return;
}

done_testing;
