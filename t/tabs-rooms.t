#!/usr/bin/perl

# Ten rooms in each of eight tabs, over HTTP/1.1: one connection follows for all. Each
# message comes to every tab, in order, once, and soon: whatever happens to the leading
# tab, the network and the programs.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use Longroom;
use Proxy;
use Tabs qw(leader_of);
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant {
    SECONDS => 90,              # for what must happen in any case
    TABS    => 8,
    SOON_MS => 1000,
};

my $longroom = Longroom->start(operator => 1);
my $proxy = Proxy->start($longroom->port);
my $browser = Browser->start;
my @windows = map { $browser->window } 1 .. TABS;

my (@ROOMS, %sent, $number);

# The page keeps what each room got, and how long the slowest message took: each has a
# number, and the time at which it was sent.
my $JOIN = <<'END';
const [names, options] = arguments;
return import('/longroom.js').then(({ join }) => {
  window.logs = {};
  window.slowest = 0;
  window.asked = [];
  const ask = window.fetch;
  window.fetch = (url, init) => { asked.push(String(url)); return ask(url, init); };
  window.rooms = join(names, {
    ...options,
    onHistory: ({ messages }, { name }) => { logs[name] = messages.map(({ content }) => content); },
    onMessage: ({ content }, { name }) => {
      logs[name].push(content);
      slowest = Math.max(slowest, Date.now() - Number(content.split(' ')[1]));
    },
    onGap: (_, { name }) => logs[name].push('gap'),
    onState: (state, problem, { name }) => { if (state === 'failed') logs[name] = [problem.type]; },
  });
});
END
my $LIVE = 'return [...rooms].every(({ state }) => state === "live")';

# The number of connections that follow at this moment.
sub waiting { return $longroom->metrics('pushd')->{'connections{state="waiting"}'} }

sub one_waits {
    my ($title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $most;
    return ok($longroom->eventually(SECONDS, sub {
            $most = 0;
            for (1 .. 50) {
                my $now = waiting();
                $most = $now if $now > $most;
                sleep 0.02;
            }
            return $most == 1;
        }), $title) || diag "$most wait";
}


sub send_round {
    for my $room (@ROOMS) {
        my $text = sprintf '%d %d', $number++, time * 1000;
        my $answer = $longroom->post($room, $text);
        die "POST: $answer->{status}\n" if $answer->{status} != 201;
        push @{ $sent{$room} }, $text;
    }
    return;
}

# A test: every open tab has exactly what was sent.
sub all_have {
    my ($open, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %found;
    for my $n (0 .. $#$open) {
        $open->[$n]->eventually(SECONDS, <<'END', { map { $_ => $sent{$_}[-1] } @ROOMS });
return Object.entries(arguments[0]).every(([name, last]) => logs[name]?.includes(last));
END
        $found{$n} = $open->[$n]->run('return logs');
    }
    return is_deeply(\%found, { map { $_ => \%sent } 0 .. $#$open }, $title);
}

# A test: each message came soon.
sub soon {
    my ($open, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $_->run('window.slowest = 0') for @$open;
    for (1 .. 5) { send_round(); sleep 0.05 }
    all_have($open, $title);
    my ($slowest) = sort { $b <=> $a } map { $_->run('return slowest') } @$open;
    note "the slowest message took $slowest ms";
    return cmp_ok($slowest, '<', SOON_MS, '... within a second');
}

sub enter {
    my ($url, %options) = @_;
    for my $window (@windows) {
        $window->open('about:blank');
        $window->open("$url/icon.svg");
        $window->run($JOIN, \@ROOMS, \%options);
    }
    return ok(!(grep { !$_->eventually(SECONDS, $LIVE) } @windows), 'all tabs follow all rooms');
}

for my $transport (qw(auto poll)) {
    my $how = $transport eq 'auto' ? 'by a stream' : 'by polls';
    my $kind = $transport eq 'auto' ? 'events' : 'poll';
    @ROOMS = map {"$transport-$_"} 0 .. 9;
    %sent = ();
    send_round();
    ok(enter($proxy->url, transport => $transport), "$how: all tabs load");
    one_waits('... one connection follows');
    soon(\@windows, '... each message comes to each tab');
    my $leader = leader_of(200, @windows);
    like($leader->run('return asked.at(-1)'), qr{/rooms/[^/]*,[^/]*/$kind\?}, "... $how of all rooms");

    # The network: connections that die silently, as when it changes.
    $proxy->does('dark');
    send_round();
    $_->run('dispatchEvent(new Event("offline")); dispatchEvent(new Event("online"))') for @windows;
    all_have(\@windows, '... the network is cut: nothing is lost, doubled or out of order');
    $proxy->does('pass');

    for my $program (qw(pushd history nginx)) {
        $longroom->signal($program, 'STOP');
        sleep 1;
        $longroom->signal($program, 'CONT');
        send_round();
        all_have(\@windows, "... $program is stopped for a while: nothing is lost");
    }
    for my $program (qw(pushd nginx)) {
        $longroom->restart($program);
        send_round();
        all_have(\@windows, "... $program is restarted: nothing is lost");
    }

    # One tab after the other: the leading one ends, in the middle of messages.
    my @open = @windows;
    for (1 .. 3) {
        $leader = leader_of(200, @open);
        send_round();
        $leader->open('about:blank');
        @open = grep { $_ != $leader } @open;
        send_round() for 1 .. 3;
        all_have(\@open, '... the leader is closed: nothing is lost');
    }
    one_waits('... one connection follows again');
    soon(\@open, '... and brings each message');
}

$_->open('about:blank') for @windows;
ok($longroom->eventually(SECONDS, sub { waiting() == 0 }), 'no connection outlives its tabs');

$browser->stop;
$_->stop for $proxy, $longroom;
done_testing;
