# Tokens that have not come before are verified beside everything else, and so many
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

# In place: the programs have it mapped.
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
# Each is another one, of a form that could be good.
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

# What is held waits as long as this test wants.
my $PATIENT = "[limits]\nhead_timeout = 5m";
ok $l->set_in_file($PATIENT), 'both are patient';

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

is status(poll($known)->answer), '200 -', 'somebody is known';
is $l->request(GET => '/rooms/room_1/messages', headers => { Authorization => "Bearer $known" })->{status}, 200, '... to both programs';

subtest 'who is known never waits for who is not' => sub {
    my @signed = map { signed($pair{old}) } 1 .. 100;
    hold(1);
    my $honest = poll(signed($pair{old}));
    my @forgers = map { poll(forged()) } 2 .. QUEUE;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE }), 'so many tokens wait to be verified at the most';
    my $more = poll(forged());
    my $answer = $more->answer;
    Longroom::is_problem($answer, 503, 'overloaded', 'one more is too many');
    is $answer->{headers}{'retry-after'}, 1, '... and may come again';
    $more->write(poll_bytes($known, 0));
    is status($more->answer), '200 -', '... on the same connection';
    is verified(pushd => 'none'), 1, '... which is counted';
    like $l->log('pushd'), qr/warning: tokens come faster than they can be verified/, '... and logged';
    is status(poll($known)->answer), '200 -', "poll $_ of who is known is answered" for 1 .. 3;
    is $l->metrics('pushd')->{'connections{state="waiting"}'}, 0, 'who is being verified is no waiter';

    $_->close for splice @forgers, 100, 99;
    my $half = splice @forgers, 100, 1;
    shutdown $half->socket, 1;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE - 100 }), 'who hangs up gives place at once, also by half';
    my @later = map { poll($_) } @signed;
    ok $l->eventually(SECONDS, sub { verifying() == QUEUE }), '... to others';
    hold(0);
    is status($honest->answer), '200 -', 'then who is honest is let in';
    is_deeply [map { status($_->answer) } @later], [('200 -') x 100], '... and those who came later';
    is_deeply [map { status($_->answer) } @forgers], [('401 unauthorized') x @forgers], 'and others are not';
    is verifying(), 0, 'nobody is left behind';
};

subtest 'a token that was refused is not verified again' => sub {
    my $bad = forged();
    my $before = verified(pushd => 'bad');
    is status(poll($bad)->answer), '401 unauthorized', 'is refused' for 1 .. 20;
    is verified(pushd => 'bad') - $before, 1, 'one signature was looked at';
    hold(1);
    is status(poll($bad)->answer), '401 unauthorized', 'and waits for none';
    hold(0);
    $before = verified(pushd => 'good');
    my $old = signed($pair{old}, exp => time - 100);
    is status(poll($old)->answer), '401 token-expired', 'nor is one that has expired' for 1 .. 20;
    is verified(pushd => 'good') - $before, 1, 'verified again';
};

subtest 'what happens to a poll while its token is verified' => sub {
    hold(1);
    my $early = poll(signed($pair{old}));
    $early->write(poll_bytes($known, 0) . poll_bytes($known, 0));
    my $patient = poll(signed($pair{old}));
    my $short   = poll(signed($pair{old}, exp => time + 2));
    my $waiter  = poll(my $parked = signed($pair{old}), 50);
    ok $l->eventually(SECONDS, sub { verifying() == 4 }), 'four wait';
    my $exp = time + 3;
    $l->eventually(SECONDS, sub { time >= $exp });
    hold(0);
    is_deeply [map { status($early->answer) } 1 .. 3], [('200 -') x 3], 'requests that came early are answered after it';
    is status($short->answer), '401 token-expired', 'a token may expire meanwhile';
    is status($patient->answer), '200 -', 'others do not';
    ok $l->eventually(SECONDS, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 1 }), 'then it waits for messages';
    is $l->request(POST => '/rooms/room_1/messages', content => 'Hello',
        headers => { Authorization => "Bearer $known", 'Content-Type' => 'text/plain' })->{status}, 201, 'there is one';
    is_deeply Longroom::message_contents($waiter->answer), ['Hello'], '... and it gets it';

    hold(1);
    my $late = poll(signed($pair{old}));
    ok $l->eventually(SECONDS, sub { verifying() == 1 }), 'one waits';
    $l->set_in_file("[limits]\nhead_timeout = 100ms");
    Longroom::is_problem($late->answer, 503, 'overloaded', 'whose turn does not come in time is told so');
    hold(0);
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll($known)->answer) eq '200 -' }), 'and others go on';
};

subtest 'keys that are replaced while a token is verified count' => sub {
    hold(1);
    my @polls = map { poll(signed($pair{$_})) } qw(old new old new);
    ok $l->eventually(SECONDS, sub { verifying() == 4 }), 'four wait';
    Longroom::spew("$place/key.pem", $pair{new}{public});
    ok $l->set_in_file($PATIENT), 'the keys are read again';
    hold(0);
    is_deeply [map { status($_->answer) } @polls], [('401 unauthorized', '200 -') x 2], 'by the new ones they are judged';
    Longroom::spew("$place/key.pem", $pair{old}{public});
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll(signed($pair{old}))->answer) eq '200 -' }), 'the old ones are back';
};

subtest 'what was verified proves nothing of another token' => sub {
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
    ok $l->eventually(SECONDS, sub { verifying() == 2 && $l->metrics('history')->{requests} == 3 }), 'four wait';
    $reload->('two');
    hold(0);
    is_deeply [map { status($_->answer) } @asked], [('401 unauthorized') x 2, ('200 -') x 2], 'the token of the new name is judged by itself';
    is status($ask->(@$_, "two=$forged")->answer), '401 unauthorized', "... and later, by $_->[1]"
        for ['pushd', 'GET /rooms/room_1/poll?timeout=0'], [undef, 'GET /rooms/room_1/messages'];
    $l->set_in_file($PATIENT);
    ok $l->eventually(SECONDS, sub { status(poll($known)->answer) eq '200 -' }), 'and others go on';
};

subtest 'pushd ends in good order while tokens are verified' => sub {
    hold(1);
    my ($good, $bad) = map { poll($_, 50) } signed($pair{old}), forged();
    ok $l->eventually(SECONDS, sub { verifying() == 2 }), 'two wait';
    $l->signal(pushd => 'TERM');
    ok $l->wait_log('pushd', qr/ending: answering/), 'it is told to end';
    hold(0);
    my $answer = $good->answer;
    is status($answer), '200 -', 'who is good gets an empty page';
    ok $answer->{json}{retry_ms}, '... that says when to come back';
    is status($bad->answer), '401 unauthorized', 'who is not is told so';
    $l->await_end('pushd');
    start_held('pushd');
};

subtest 'longroom-history does the same' => sub {
    my %known = (Authorization => "Bearer $known", 'Content-Type' => 'text/plain');
    my $ask = sub { my ($token) = @_; my $c = $l->connect;
        $c->write("POST /rooms/room_1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n"
            . "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nHello");
        return $c };
    my $none = sub { return verified(history => 'none') };
    # SIGHUP has it forgotten.
    is $l->request(GET => '/rooms/room_1/messages', headers => \%known)->{status}, 200, 'somebody is known';
    hold(1);
    my $honest = $ask->(signed($pair{old}));
    my @forgers = map { $ask->(forged()) } 2 .. QUEUE;
    # One is the request for /metrics.
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == QUEUE + 1 }), 'so many tokens wait at the most';
    my @more = map { $ask->(forged()) } 1 .. 20;
    for my $answer (map { $_->answer } @more) {
        Longroom::is_problem($answer, 503, 'overloaded', 'one more is too many');
        is $answer->{headers}{'retry-after'}, 1, '... and may come again';
    }
    is $none->(), 20, '... which is counted';
    for (1 .. 5) {
        is $l->request(GET => '/rooms/room_1/messages', headers => \%known)->{status}, 200, 'who is known reads';
        is $l->request(POST => '/rooms/room_1/messages', content => 'Hi', headers => \%known)->{status}, 201, '... and sends';
    }
    hold(0);
    is status($honest->answer), '201 chat_message', 'then who is honest is let in';
    is_deeply [map { status($_->answer) } @forgers], [('401 unauthorized') x @forgers], 'and others are not';

    hold(1);
    my @asked = map { $ask->(signed($pair{$_})) } qw(old new old new);
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == 5 }), 'four wait';
    Longroom::spew("$place/key.pem", $pair{new}{public});
    ok $l->set_in_file($PATIENT), 'keys are replaced meanwhile';
    hold(0);
    is_deeply [map { status($_->answer) } @asked], [('401 unauthorized', '201 chat_message') x 2], 'by the new ones they are judged';

    my $bad = forged();
    my $before = verified(history => 'bad');
    is status($ask->($bad)->answer), '401 unauthorized', 'is refused' for 1 .. 10;
    is verified(history => 'bad') - $before, 1, 'a token that was refused is not verified again';

    hold(1);
    my ($last, $stranger) = map { $ask->($_) } signed($pair{new}), forged();
    ok $l->eventually(SECONDS, sub { $l->metrics('history')->{requests} == 3 }), 'two wait';
    $l->signal(history => 'TERM');
    ok $l->wait_log('history', qr/ending: answering/), 'it is told to end';
    hold(0);
    is status($last->answer), '201 chat_message', 'who was taken is answered';
    is status($stranger->answer), '401 unauthorized', '... whoever it is';
    $l->await_end('history');
    start_held('history');
};
$l->stop;

done_testing;
