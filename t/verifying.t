# Tokens seen for the first time are verified beside everything else, a limited number
# at a time (PROTOCOL section 12). Signatures wait for this test:
# t/preload/hold_signatures.c.

use strict;
use warnings;

use FindBin      ();
use lib "$FindBin::Bin/lib";
use Longroom;
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Tokens;

use constant { QUEUE => 256, SECONDS => 60 };

my $place  = Longroom::fresh_dir();
my $SECRET = 'a secret of no less than 32 bytes!';
my %pair   = map { $_ => Tokens::pair('p256') } qw(old new);

sub keep {
    my ($name, $bytes) = @_;
    Longroom::spew("$place/$name", $bytes);
    chmod 0600, "$place/$name" or die "$place/$name: $!\n";
    return "$place/$name";
}

# In place, because the programs have mapped the file.
sub hold {
    my ($held) = @_;
    open my $file, '+<', "$place/hold" or die "$place/hold: $!\n";
    syswrite $file, chr $held;
    return close $file;
}

sub claims {
    my (%more) = @_;
    return { sub => 'ann', exp => time + 3600, longroom => { read => ['*'], write => ['*'] }, %more };
}
my $count = 0;
sub signed { my ($pair, %more) = @_; return Tokens::token('ES256', $pair, { alg => 'ES256' }, claims(jti => ++$count, %more)) }
# Each is different, and could be valid by its form.
sub forged {
    return Tokens::part({ alg => 'ES256' }) . '.' . Tokens::part(claims(jti => ++$count)) . '.' . encode_base64url(pack 'N16', (++$count) x 16);
}

Longroom::spew("$place/hold", "\0");
my @files = (keep(secret => $SECRET), keep('key.pem', $pair{old}{public}));
my $l = Longroom->start(operator => 1, settings => { 'auth.mode' => 'token', 'auth.keys' => "@files", 'auth.clock_skew' => '0s',
    'limits.user_polls' => 0, 'limits.user_sends' => 0, 'limits.room_sends' => 0 });

sub start_held {
    my ($program) = @_;
    return $l->start_program($program, env => {
        LD_PRELOAD    => Longroom::build_dir() . '/hold_signatures.so',
        LONGROOM_HOLD => "$place/hold",
        ASAN_OPTIONS  => join(':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0'),
    });
}
for my $program (qw(history pushd)) {
    $l->stop_program($program);
    start_held($program);
}

# Held signatures wait as long as this test needs.
my $PATIENT = "[limits]\nhead_timeout = 5m";
ok $l->set_in_file($PATIENT), 'both programs have long timeouts';

my $known = Tokens::token('HS256', $SECRET, { alg => 'HS256' }, claims());

sub poll_bytes { my ($token, $timeout) = @_; return "GET /rooms/room_1/poll?timeout=$timeout HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n" }

sub poll {
    my ($token, $timeout) = @_;
    my $c = $l->connect('pushd');
    $c->write(poll_bytes($token, $timeout // 0));
    return $c;
}

sub status { my ($answer) = @_; return $answer ? "$answer->{status} " . ($answer->{json}{type} // '-') : 'nothing' }
sub verifying { return $l->metrics('pushd')->{'connections{state="verifying"}'} }
sub verified { my ($program, $outcome) = @_; return $l->metrics($program)->{"verifications_total{outcome=\"$outcome\"}"} }

is status(poll($known)->answer), '200 -', 'the token is known';
is $l->request(GET => '/rooms/room_1/messages', headers => { Authorization => "Bearer $known" })->{status}, 200, '... to both programs';

subtest 'a known token never waits for unknown ones' => sub {
    my @signed = map { signed($pair{old}) } 1 .. 100;
    hold(1);
    my $honest = poll(signed($pair{old}));
    my @forgers = map { poll(forged()) } 2 .. QUEUE;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE }), 'a limited number of tokens wait to be verified';
    my $more = poll(forged());
    my $answer = $more->answer;
    Longroom::is_problem($answer, 503, 'overloaded', 'one more gets overloaded');
    is $answer->{headers}{'retry-after'}, 1, '... with Retry-After';
    $more->write(poll_bytes($known, 0));
    is status($more->answer), '200 -', '... and may repeat on the same connection';
    is verified(pushd => 'none'), 1, '... which is counted';
    like $l->log('pushd'), qr/warning: tokens come faster than they can be verified/, '... and logged';
    is status(poll($known)->answer), '200 -', "poll $_ with the known token is answered" for 1 .. 3;
    is $l->metrics('pushd')->{'connections{state="waiting"}'}, 0,
        'polls being verified do not count as waiting';

    $_->close for splice @forgers, 100, 99;
    my $half = splice @forgers, 100, 1;
    shutdown $half->socket, 1;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE - 100 }),
        'clients that hang up, or close one side, make room at once';
    my @later = map { poll($_) } @signed;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE }), '... to others';
    hold(0);
    is status($honest->answer), '200 -', 'then the honest client is served';
    is_deeply [map { status($_->answer) } @later], [('200 -') x 100], '... and those that came later';
    is_deeply [map { status($_->answer) } @forgers], [('401 unauthorized') x @forgers],
        'forged tokens are refused';
    is verifying(), 0, 'no token is left in the queue';
};

subtest 'a token that was refused is not verified again' => sub {
    my $bad = forged();
    my $before = verified(pushd => 'bad');
    is status(poll($bad)->answer), '401 unauthorized', 'the token is refused' for 1 .. 20;
    is verified(pushd => 'bad') - $before, 1, 'one signature was verified';
    hold(1);
    is status(poll($bad)->answer), '401 unauthorized', 'a known bad token does not wait';
    hold(0);
    $before = verified(pushd => 'good');
    my $old = signed($pair{old}, exp => time - 100);
    is status(poll($old)->answer), '401 token-expired', 'an expired token is refused' for 1 .. 20;
    is verified(pushd => 'good') - $before, 1, 'it is not verified again either';
};

subtest 'a poll may hang up, expire or time out while its token is verified' => sub {
    hold(1);
    my $early = poll(signed($pair{old}));
    $early->write(poll_bytes($known, 0) . poll_bytes($known, 0));
    my $patient = poll(signed($pair{old}));
    my $short   = poll(signed($pair{old}, exp => time + 2));
    my $waiter  = poll(my $parked = signed($pair{old}), 50);
    ok $l->eventually(SECONDS, sub { verifying() == 4 }), 'four polls wait to be verified';
    my $exp = time + 3;
    $l->eventually(SECONDS, sub { time >= $exp });
    hold(0);
    is_deeply [map { status($early->answer) } 1 .. 3], [('200 -') x 3],
        'pipelined requests are answered after it';
    is status($short->answer), '401 token-expired', 'a token may expire meanwhile';
    is status($patient->answer), '200 -', 'another one does not';
    ok $l->eventually(SECONDS, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 1 }),
        'a poll with it waits for messages';
    is $l->request(POST => '/rooms/room_1/messages', content => 'Hello',
        headers => { Authorization => "Bearer $known", 'Content-Type' => 'text/plain' })->{status}, 201,
            'a message is sent';
    is_deeply Longroom::message_contents($waiter->answer), ['Hello'], '... and the poll gets it';

    hold(1);
    my $late = poll(signed($pair{old}));
    ok $l->eventually(SECONDS, sub { verifying() == 1 }), 'one token waits';
    $l->set_in_file("[limits]\nhead_timeout = 100ms");
    Longroom::is_problem($late->answer, 503, 'overloaded',
        'a token that is not verified in time gets overloaded');
    hold(0);
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll($known)->answer) eq '200 -' }), 'other clients are served';
};

subtest 'keys that are replaced while a token is verified take effect' => sub {
    hold(1);
    my @polls = map { poll(signed($pair{$_})) } qw(old new old new);
    ok $l->eventually(SECONDS, sub { verifying() == 4 }), 'four tokens wait';
    Longroom::spew("$place/key.pem", $pair{new}{public});
    ok $l->set_in_file($PATIENT), 'the keys are reloaded';
    hold(0);
    is_deeply [map { status($_->answer) } @polls], [('401 unauthorized', '200 -') x 2],
        'they are verified with the new keys';
    Longroom::spew("$place/key.pem", $pair{old}{public});
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll(signed($pair{old}))->answer) eq '200 -' }),
        'the old keys are back';
};

subtest 'a verified token proves nothing about another one' => sub {
    my $reload = sub { my ($cookie) = @_;
        ok $l->set_in_file("$PATIENT\n[auth]\ncookie = $cookie"), "the token's cookie is called $cookie" };
    my $ask = sub { my ($socket, $line, $cookies) = @_; my $c = $l->connect($socket); $c->write("$line HTTP/1.1\r\nHost: x\r\nCookie: $cookies\r\n\r\n"); return $c };
    $reload->('one');
    my $forged = Tokens::part({ alg => 'ES256' }) . '.' . Tokens::part(claims(sub => 'root', jti => ++$count)) . '.' . encode_base64url('x' x 64);
    my ($first, $second) = map { signed($pair{old}) } 1, 2;
    hold(1);
    my @asked = map { my $other = $_; map { $ask->(@$_, "one=$first; two=$other") }
        ['pushd', 'GET /rooms/room_1/poll?timeout=0'], [undef, 'GET /rooms/room_1/messages'] } $forged, $second;
    # One is the request for /metrics.
    ok $l->eventually(SECONDS, sub { verifying() == 2 && $l->metrics('history')->{requests} == 3 }),
        'four tokens wait';
    $reload->('two');
    hold(0);
    is_deeply [map { status($_->answer) } @asked], [('401 unauthorized') x 2, ('200 -') x 2],
        'the token in the new cookie is verified by itself';
    is status($ask->(@$_, "two=$forged")->answer), '401 unauthorized', "... and later, by $_->[1]"
        for ['pushd', 'GET /rooms/room_1/poll?timeout=0'], [undef, 'GET /rooms/room_1/messages'];
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll($known)->answer) eq '200 -' }), 'other clients are served';
};

subtest 'longroom-pushd shuts down cleanly while tokens are verified' => sub {
    hold(1);
    my ($good, $bad) = map { poll($_, 50) } signed($pair{old}), forged();
    ok $l->eventually(SECONDS, sub { verifying() == 2 }), 'two tokens wait';
    $l->signal(pushd => 'TERM');
    ok $l->wait_log('pushd', qr/shutting down: answering/), 'it is shutting down';
    hold(0);
    my $answer = $good->answer;
    is status($answer), '200 -', 'a valid token gets an empty page';
    ok $answer->{json}{retry_ms}, '... with retry_ms';
    is status($bad->answer), '401 unauthorized', 'a bad token is refused';
    $l->await_end('pushd');
    start_held('pushd');
};

subtest 'longroom-history verifies tokens in the same way' => sub {
    my %known = (Authorization => "Bearer $known", 'Content-Type' => 'text/plain');
    my $ask = sub { my ($token) = @_; my $c = $l->connect;
        $c->write("POST /rooms/room_1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n"
            . "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nHello");
        return $c };
    my $none = sub { return verified(history => 'none') };
    # SIGHUP clears the remembered tokens.
    is $l->request(GET => '/rooms/room_1/messages', headers => \%known)->{status}, 200, 'the token is known';
    hold(1);
    my $honest = $ask->(signed($pair{old}));
    my @forgers = map { $ask->(forged()) } 2 .. QUEUE;
    # One is the request for /metrics.
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == QUEUE + 1 }),
        'a limited number of tokens wait';
    my @more = map { $ask->(forged()) } 1 .. 20;
    for my $answer (map { $_->answer } @more) {
        Longroom::is_problem($answer, 503, 'overloaded', 'one more gets overloaded');
        is $answer->{headers}{'retry-after'}, 1, '... with Retry-After';
    }
    is $none->(), 20, '... which is counted';
    for (1 .. 5) {
        is $l->request(GET => '/rooms/room_1/messages', headers => \%known)->{status}, 200,
            'a known token reads';
        is $l->request(POST => '/rooms/room_1/messages', content => 'Hi', headers => \%known)->{status}, 201, '... and sends';
    }
    hold(0);
    is status($honest->answer), '201 chat_message', 'then the honest client is served';
    is_deeply [map { status($_->answer) } @forgers], [('401 unauthorized') x @forgers],
        'forged tokens are refused';

    hold(1);
    my @asked = map { $ask->(signed($pair{$_})) } qw(old new old new);
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == 5 }), 'four tokens wait';
    Longroom::spew("$place/key.pem", $pair{new}{public});
    ok $l->set_in_file($PATIENT), 'keys are replaced meanwhile';
    hold(0);
    is_deeply [map { status($_->answer) } @asked], [('401 unauthorized', '201 chat_message') x 2],
        'they are verified with the new keys';

    my $bad = forged();
    my $before = verified(history => 'bad');
    is status($ask->($bad)->answer), '401 unauthorized', 'the token is refused' for 1 .. 10;
    is verified(history => 'bad') - $before, 1, 'a token that was refused is not verified again';

    hold(1);
    my ($last, $stranger) = map { $ask->($_) } signed($pair{new}), forged();
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == 3 }), 'two tokens wait';
    $l->signal(history => 'TERM');
    ok $l->wait_log('history', qr/shutting down: draining/), 'it is shutting down';
    hold(0);
    is status($last->answer), '201 chat_message', 'an accepted request is answered';
    is status($stranger->answer), '401 unauthorized', '... even to be refused';
    $l->await_end('history');
    start_held('history');
};
$l->stop;

done_testing;
