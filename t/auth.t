# Who may read and who may write: a table over the shipped configuration of nginx,
# in both modes that identify users (PROTOCOL section 12).

use strict;
use warnings;
use utf8;

use FindBin      ();
use lib "$FindBin::Bin/lib";
use Longroom;
use MIME::Base64 ();
use Test::More;
use Visitors;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

my %VISITORS = (
    ann    => { id => '2', name => 'Ann B.', read => 'team_red lobby-*', write => 'team_red' },
    bob    => { name => 'bob', read => 'team_blue', write => 'team_blue', type => 'bot' },
    chief  => { read => '*', write => '*' },
    reader => { read => 'room_* team_???' },
    writer => { write => 'team_red' },
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

sub start {
    my ($mode, %settings) = @_;
    return Visitors::start($mode, \%VISITORS, operator => 1, settings => { 'auth.anonymous_read' => 'news', %settings });
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
