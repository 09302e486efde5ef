#!/usr/bin/perl

# Many tabs of one browser over HTTP/1.1, which limits it to six connections: they
# share polls, or take turns where they cannot. Whichever tab leads, and however it
# ends, each tab gets every message, in order, once.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use HTTP::Tiny ();
use JSON::PP ();
use Longroom;
use Tabs qw(leader_of);
use Test::More;
use Time::HiRes qw(time);
use Visitors;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

# For what must happen in any case. A poll waits 25 s: what takes less did not wait
# for one to end.
use constant { SECONDS => 60, SOON => 12 };

my $longroom = Longroom->start(operator => 1, settings => { 'rooms.ephemeral' => 'fleeting*' });
my $browser = Browser->start;
my $intranet = 'http://intranet.test:' . $longroom->port;

$browser->_session(POST => '/timeouts', { pageLoad => SECONDS * 1000, script => SECONDS * 1000 });

my @windows = map { $browser->window } 1 .. 8;

my $SHOWN = 'return [...document.querySelectorAll("#messages .body")].map((body) => body.textContent)';

# The number of polls that wait at this moment, all of this browser.
sub waiting {
    my $metrics = $longroom->metrics('pushd');
    return $metrics->{'connections{state="waiting"}'};
}

# The maximum of that number while something is done.
sub most_waiting {
    my ($seconds) = @_;
    my ($most, $end) = (0, time + $seconds);
    while (time < $end) {
        my $now = waiting();
        $most = $now if $now > $most;
        Time::HiRes::sleep(0.02);
    }
    return $most;
}

# A poll that was aborted as it began may be counted for a while.
sub few_wait {
    my ($few, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($longroom->eventually(SECONDS, sub { most_waiting(2) <= $few }), $title);
}

sub named {
    my ($window, $url) = @_;
    $window->open($url);
    $window->type('#name', 'Ann');
    $window->type('#room-name', 'hall');
    $window->click('#join button');
    return;
}

# Opens the chat page in the rooms; reports what each window sends and receives, in
# the order of the windows.
sub chat_in {
    my ($url, $what, @rooms) = @_;
    named($windows[0], "$url/");
    my $slowest = 0;
    for my $n (0 .. $#rooms) {
        my $began = time;
        $windows[$n]->open('about:blank');
        # Without sharing, the seventh would get no answer before the deadline.
        eval { $windows[$n]->open("$url/#$rooms[$n]"); 1 } or diag "window $n: $@";
        my $live = $windows[$n]->eventually(SECONDS, 'return document.getElementById("state").dataset.state === "live"');
        my $took = time - $began;
        $slowest = $took if $took > $slowest || !$live;
    }
    cmp_ok($slowest, '<', SOON, "$what: each tab loads");
    note sprintf '%s: the slowest was loaded after %.2f s', $what, $slowest;
    return;
}

sub all_hear {
    my ($what, $windows, $rooms) = @_;
    my $began = time;
    $windows->[$_]->press('#text', "from $_" . Browser::ENTER) for 0 .. $#$windows;
    my $slowest = 0;
    for my $n (0 .. $#$windows) {
        my @expected = grep { $rooms->[$_] eq $rooms->[$n] } 0 .. $#$windows;
        $windows->[$n]->eventually(SECONDS, 'return document.querySelectorAll("#messages .body").length >= arguments[0]'
            . ' && !document.querySelector("#outbox .message")', scalar @expected);
        is_deeply([sort @{ $windows->[$n]->run($SHOWN) }], [map {"from $_"} @expected],
            "$what: window $n sends and receives");
    }
    cmp_ok(time - $began, '<', SOON, '... all of them soon');
    note sprintf '%s: all sent and received %.2f s after the first was typed', $what, time - $began;

    # From elsewhere, to all at once; rooms that take turns get theirs too.
    $began = time;
    my %told;
    $told{$_}++ || $longroom->post($_, "to $_") for @$rooms;
    for my $n (0 .. $#$windows) {
        ok($windows->[$n]->eventually(SECONDS,
                'return [...document.querySelectorAll("#messages .body")].some((body) => body.textContent === arguments[0])',
                "to $rooms->[$n]"), "$what: window $n receives messages of others");
    }
    cmp_ok(time - $began, '<', SOON, '... all of them soon');
    note sprintf '%s: all received messages of others after %.2f s', $what, time - $began;
    my @shown = map { join ' ', @{ $_->run($SHOWN) } } @$windows;
    my %first;
    is_deeply([map { $first{ $rooms->[$_] } //= $shown[$_] } 0 .. $#shown], \@shown, '... in one order');
    return;
}

sub leave_all {
    $_->open('about:blank') for @windows;
    ok(Longroom->eventually(SECONDS, sub { waiting() == 0 }), 'no poll outlives its tab');
    return;
}

for my $case (
    ['tabs that share', $longroom->url],
    ['tabs without Web Locks', $intranet],
) {
    my ($how, $url) = @$case;
    my $shares = $how =~ /share/;
    my %rooms = (
        'one room'    => [('same' . length $how) x 8],
        'eight rooms' => [map { "room$_-" . length $how } 1 .. 8],
    );
    for my $kind (sort keys %rooms) {
        my $rooms = $rooms{$kind};
        chat_in($url, "$how, $kind", @$rooms);
        is($windows[0]->run('return !navigator.locks'), $shares ? JSON::PP::false : JSON::PP::true,
            '... Web Locks are as the title says');
        all_hear("$how, $kind", \@windows, $rooms);
        few_wait($shares ? 1 : 3, "$how, $kind: few polls wait");
        leave_all();
    }
}

# ---------------------------------------------------------------- locks are denied

# As in a browser where a site has no storage rights.
my $DENY = <<'END';
const deny = () => Promise.reject(new DOMException('', 'SecurityError'));
Object.assign(LockManager.prototype, { request: deny, query: deny });
END
my %denied = map { $_ => $windows[$_]->devtools('Page.addScriptToEvaluateOnNewDocument', source => $DENY) } 0 .. 7;
my @denied = map {"denied-" . $_ % 4} 0 .. 7;
chat_in($longroom->url, 'tabs without rights', @denied);
all_hear('tabs without rights', \@windows, \@denied);
few_wait(3, '... few polls wait');
leave_all();
$windows[$_]->devtools('Page.removeScriptToEvaluateOnNewDocument', %{ $denied{$_} }) for 0 .. 7;

# ---------------------------------------------------------------- pages of two rooms

# A test page, and rooms joined in it: window.logs has what each got.
my $JOIN = <<'END';
const [names, options] = arguments;
return import('/longroom.js').then(async ({ join }) => {
  window.logs = {};
  window.rooms = Object.fromEntries(names.map((name) => [name, join(name, {
    ...options,
    onHistory: ({ messages }) => { logs[name] = ['history', ...messages.map((m) => m.content)]; },
    onMessage: (m) => logs[name].push(m.content),
    onGap: () => logs[name].push('gap'),
    onState: (state, problem) => { if (state === 'failed') logs[name] = [state, problem.type]; },
  })]));
});
END
my $LIVE = 'return Object.values(rooms).every(({ state }) => state === "live")';

sub page_with {
    my ($window, $names, %options) = @_;
    my $url = delete $options{url} // $longroom->url;
    $window->open("$url/icon.svg");
    $window->run($JOIN, $names, \%options);
    return $window->eventually(SECONDS, $LIVE);
}

sub has_got {
    my ($window, $room, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, 'return logs[arguments[0]].includes(arguments[1])', $room, $expected->[-1]);
    return is_deeply($window->run('return logs[arguments[0]]', $room), $expected, $title);
}

my @pages = @windows[0 .. 2];
my $began = time;
ok(page_with($pages[$_], ["page-$_-a", "page-$_-b"]), "page $_ of two rooms loads") for 0 .. 2;
for my $n (0 .. 2) {
    $pages[$n]->run('for (const room of Object.values(rooms)) room.send(`in ${room.name}`)');
    has_got($pages[$n], "page-$n-$_", ['history', "in page-$n-$_"], "... and receives in room $_") for qw(a b);
}
cmp_ok(time - $began, '<', SOON * 2, '... all of them soon');
note sprintf 'three pages of two rooms: %.2f s', time - $began;
few_wait(3, '... and few polls wait');
leave_all();

# ---------------------------------------------------------------- the leader ends

my %end = (
    closes      => sub { $_[0]->open('about:blank') },
    crashes     => sub {
        # The command is never answered.
        local $browser->{http} = HTTP::Tiny->new(timeout => 3);
        eval { $_[0]->devtools('Page.crash') };
    },
    'is frozen' => sub { $_[0]->devtools('Page.setWebLifecycleState', state => 'frozen') },
    'hangs'     => sub {
        $_[0]->run('setTimeout(() => { const end = Date.now() + 15_000; while (Date.now() < end); }, 0)');
    },
);
for my $how ('closes', 'is frozen', 'hangs', 'crashes') {
    my @open = @windows[0 .. 3];
    my %sent;
    my $tag = $how =~ tr/ /-/r;
    # Messages of the second kind are in no log, and have no client_id.
    my @rooms = ("moved-$tag", "fleeting-$tag");
    page_with($_, \@rooms) or die "a page does not load\n" for @open;
    my $number = 0;
    my $send = sub {
        $number++;
        for my $room (@rooms) {
            $longroom->post($room, "message $number");
            push @{ $sent{$room} }, "message $number";
        }
    };
    $send->() for 1 .. 20;
    for (1 .. 2) {
        my $leader = leader_of(100, @open);
        my $sending = Longroom->background(sub {
            for my $n (1 .. 60) {
                $longroom->post($_, "meanwhile $number.$n") for @rooms;
                Time::HiRes::sleep(0.02);
            }
            return;
        });
        $end{$how}->($leader);
        @open = grep { $_ != $leader } @open;
        push @{ $sent{$_} }, map {"meanwhile $number.$_"} 1 .. 60 for @rooms;
        $sending->result;
        $send->();
        for my $window (@open) {
            has_got($window, $_, ['history', @{ $sent{$_} }], "the leader $how: nothing is lost, doubled or out of order in $_")
                for @rooms;
        }
    }
    last if $how eq 'crashes';    # and cannot be asked any more
    if ($how eq 'is frozen') {
        $_->devtools('Page.setWebLifecycleState', state => 'active') for @windows[0 .. 3];
    }
    for my $window ($how eq 'closes' ? () : @windows[0 .. 3]) {
        has_got($window, $_, ['history', @{ $sent{$_} }], "... nor in a tab that comes back, in $_") for @rooms;
    }
    $_->open('about:blank') for @windows;
}

$browser->stop;
$longroom->stop;
done_testing;
