#!/usr/bin/perl

# A page whose longroom.js is of before messages had types, data and replies, and before
# there were signals and presence (t/clients/longroom-1): it shows the chat messages and
# nothing else, whatever else a room gets, by streams and by polls.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use JSON::PP ();
use Longroom;
use Test::More;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen in any case

my $CLIENTS = Longroom::source_dir() . '/t/clients';
my $longroom = Longroom->start(
    settings => { 'push.presence' => 'users' },
    nginx    => { server => "location /clients/ { alias $CLIENTS/; }" });
my $browser = Browser->start;
my %window = map { $_ => $browser->window } qw(stream poll new);

# The page keeps what its room got: messages, and all else that it is told.
my $JOIN = <<'END';
const [module, room, options] = arguments;
return import(module).then(({ join }) => {
  window.log = [];
  window.troubles = [];
  addEventListener('error', ({ message }) => troubles.push(message));
  addEventListener('unhandledrejection', ({ reason }) => troubles.push(String(reason)));
  const text = ({ content }) => content;
  window.room = join(room, {
    ...options, base: '/',
    onHistory: ({ messages }) => { log = ['history', ...messages.map(text)]; },
    onMessage: (message) => log.push(text(message)),
    onGap: () => troubles.push('gap'),
    onState: (state, problem) => { if (state === 'failed') troubles.push(problem.type); },
    ...(options.signals && { onSignal: ({ type }) => {
      if (type === 'knock') window.knocked = true;
      else log.push(`signal ${type}`);
    } }),
  });
});
END

sub enter {
    my ($name, $module, %options) = @_;
    $window{$name}->open($longroom->url . '/icon.svg');
    $window{$name}->run($JOIN, $module, 'room_26', \%options);
    $window{$name}->eventually(SECONDS, 'return room.state === "live"') or die "$name does not follow\n";
    return;
}

sub send_body {
    my ($status, %body) = @_;
    my $answer = $longroom->request(POST => '/rooms/room_26/messages',
        headers => { 'Content-Type' => 'application/json' }, content => JSON::PP->new->utf8->encode(\%body));
    die "POST: $answer->{status} $answer->{content}\n" if $answer->{status} != $status;
    return $answer->{json};
}

# One of everything that a room can get. Returns what old and new pages show of it.
sub send_all_kinds {
    my ($n) = @_;
    my $first = send_body(201, content => "plain $n", client_id => "plain-$n");
    send_body(201, content => "a note $n", type => 'note', data => { n => $n });
    send_body(201, type => 'poll_opened', data => { question => 'Lunch?', answers => [qw(soup bread)] });
    send_body(202, type => 'typing', store => JSON::PP::false);
    send_body(202, type => 'cursor', store => JSON::PP::false, client_id => "cursor-$n", data => { x => 1.5 });
    send_body(201, content => "answer $n", reply_to => $first->{id}, data => { mood => { is => 'good' } });
    send_body(201, content => "last $n");
    # Somebody comes, and is here for a while.
    $longroom->request(GET => "/rooms/room_26/poll?timeout=0&presence=1&user_id=visitor-$n&username=Visitor");
    my ($plain, @more) = map {"$_ $n"} qw(plain answer last);
    return ([$plain, @more], [$plain, 'signal typing', 'signal cursor', @more]);
}

my (@shown, @told);

sub send_rounds {
    for my $n (@_) {
        my ($old, $new) = send_all_kinds($n);
        push @shown, @$old;
        push @told, @$new;
    }
    return;
}

# A test: the old pages show the chat messages, each once, in order, and nothing else.
sub nothing_else {
    my ($title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %found;
    for my $how (qw(stream poll)) {
        $window{$how}->eventually(SECONDS, 'return log.includes(arguments[0])', $shown[-1]);
        $found{$how} = $window{$how}->run('return { log, troubles, state: room.state }');
    }
    my $expected = { log => ['history', @shown], troubles => [], state => 'live' };
    return is_deeply(\%found, { map { $_ => $expected } qw(stream poll) }, $title);
}

my $OLD = '/clients/longroom-1/longroom.js';
enter('stream', $OLD, transport => 'stream');
enter('poll', $OLD, transport => 'poll');
enter('new', '/longroom.js', signals => JSON::PP::true);
# It gets signals only once it waits, and it has read the room before.
Longroom->eventually(SECONDS, sub {
    send_body(202, type => 'knock', store => JSON::PP::false);
    $window{new}->eventually(1, 'return window.knocked');
}) or die "the new page gets no signal\n";

send_rounds(1 .. 3);
nothing_else('an old page shows the chat messages of a room that gets everything else too');
$window{new}->eventually(SECONDS, 'return log.includes(arguments[0])', $told[-1]);
is_deeply($window{new}->run('return log'), ['history', @told], '... while a new one is told of the signals');

$longroom->restart('pushd');
send_rounds(4);
nothing_else('... also after a restart of longroom-pushd');

# The newest five entries of the log are three chat messages and two others.
enter('stream', $OLD, transport => 'stream', limit => 5);
is_deeply($window{stream}->run('return log'), ['history', @shown[-3 .. -1]],
    'a room that is joined later begins with its chat messages');
is_deeply($window{stream}->run(<<'END'), \@shown, '... and older() reads all of them');
return (async () => {
  const found = [];
  for (let older = true, before = Number.MAX_SAFE_INTEGER; older;) {
    const page = await room.older(before);
    found.unshift(...page.messages.map(({ content }) => content));
    ({ older } = page);
    before = page.messages[0].id;
  }
  return found;
})();
END

is_deeply([map { $_->{message} } grep { $_->{level} eq 'SEVERE' && $_->{source} ne 'network' } $browser->console], [],
    'the console has no complaints');

$browser->stop;
$longroom->stop;
done_testing;
