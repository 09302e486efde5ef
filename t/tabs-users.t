#!/usr/bin/perl

# Whose polls tabs share: those with the same cookies, and no others. A token belongs
# to its tab; polls with tokens take turns.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use Longroom;
use Test::More;
use Time::HiRes ();
use Visitors;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen in any case

my %VISITORS = (
    ann   => { name => 'Ann',   read => 'team_red',           write => 'team_red' },
    bob   => { name => 'Bob',   read => 'team_blue',          write => 'team_blue' },
    carol => { name => 'Carol', read => 'team_red team_blue', write => 'team_red team_blue' },
);
my $browser = Browser->start;
my @windows = map { $browser->window } 1 .. 8;
my ($longroom, $mode);

my $JOIN = <<'END';
const [name, options] = arguments;
return import('/longroom.js').then(({ join }) => {
  window.log = [];
  window.room = join(name, {
    ...options,
    onHistory: ({ messages }) => log.push('history', ...messages.map((m) => m.content)),
    onMessage: (m) => log.push(m.content),
    onState: (state, problem) => log.push([state, problem?.type].join(' ').trim()),
  });
});
END

sub enter {
    my ($window, $room, %options) = @_;
    $window->open($longroom->url . '/icon.svg');
    $window->run($JOIN, $room, \%options);
    return;
}

sub logs {
    my ($window, $line) = @_;
    return $window->eventually(SECONDS, 'return log.includes(arguments[0])', $line);
}

sub carol_says {
    my ($room, $text) = @_;
    $longroom->request(POST => "/rooms/$room/messages", content => $text,
        headers => { %{ Visitors::headers($mode, 'carol') }, 'Content-Type' => 'text/plain' });
    return;
}

# The number of polls that wait at this moment.
sub waiting { return $longroom->metrics('pushd')->{'connections{state="waiting"}'} }

# ---------------------------------------------------------------- tokens

$mode = 'token';
$longroom = Visitors::start($mode, \%VISITORS, operator => 1);
my %token = map { $_ => Visitors::token($_) } qw(ann bob);

enter($windows[0], 'team_red', token => $token{ann});
ok(logs($windows[0], 'live'), 'a tab with a token follows its room');
enter($windows[1], 'team_red', token => $token{bob});
ok(logs($windows[1], 'failed forbidden'), 'a tab with a token for another room is refused');
enter($windows[2], 'team_red');
ok(logs($windows[2], 'failed unauthorized'), 'so is one without a token');
carol_says('team_red', 'for Ann');
ok(logs($windows[0], 'for Ann'), 'a message reaches the tab that may read it');
is($windows[$_]->run('return log.includes("for Ann")'), JSON::PP::false, '... and no other') for 1, 2;

for my $n (0 .. 7) {
    my $who = $n % 2 ? 'bob' : 'ann';
    my $room = $n % 2 ? 'team_blue' : 'team_red';
    enter($windows[$n], $room, token => $token{$who});
    ok(logs($windows[$n], 'live'), "tab $n of eight with tokens of their own loads");
}
ok($longroom->eventually(SECONDS, sub {
        my $most = 0;
        for (1 .. 50) {
            my $now = waiting();
            $most = $now if $now > $most;
            Time::HiRes::sleep(0.02);
        }
        return $most <= 3;
    }), '... few of their polls wait');
for my $n (0 .. 7) {
    is($windows[$n]->run("return room.send('from $n').then((m) => m.content)"), "from $n", "... tab $n sends");
    for my $other (grep { $_ % 2 == $n % 2 } 0 .. 7) {
        ok(logs($windows[$other], "from $n"), "... and tab $other receives it");
    }
}
is_deeply([grep {/from [1357]/} @{ $windows[0]->run('return log') }], [], '... and nothing meant for others');
$_->open('about:blank') for @windows;
$longroom->stop;

# ---------------------------------------------------------------- cookies

$mode = 'nginx';
$longroom = Visitors::start($mode, \%VISITORS, operator => 1);
$windows[0]->open($longroom->url . '/icon.svg');
$windows[0]->run('document.cookie = "who=ann"');
for my $n (0 .. 2) {
    enter($windows[$n], 'team_red');
    ok(logs($windows[$n], 'live'), "tab $n with the site's cookie follows");
}
ok($longroom->eventually(SECONDS, sub { waiting() == 1 }), 'one poll waits for all three');
carol_says('team_red', 'for all');
ok(logs($windows[$_], 'for all'), "... and tab $_ receives") for 0 .. 2;

$windows[0]->run('document.cookie = "who=bob"');
$windows[$_]->run('dispatchEvent(new Event("online"))') for 0 .. 2;
ok(logs($windows[$_], 'failed forbidden'),
    "when another user logs in, tab $_ is told that it may no longer read its room") for 0 .. 2;
carol_says('team_red', 'not for Bob');
carol_says('team_blue', 'for Bob');
enter($windows[1], 'team_blue');
ok(logs($windows[1], 'for Bob'), 'the new user has their own rooms');
is($windows[$_]->run('return log.includes("not for Bob")'), JSON::PP::false,
    '... and no messages of other rooms') for 0 .. 2;

$browser->stop;
$longroom->stop;
done_testing;
