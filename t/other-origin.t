# longroom.js on pages of another origin, in headless Chromium: what auth.origins
# allows them, with cookies and with tokens, and what the browser and the server
# refuse to all others (PROTOCOL section 12). t/origins.t tests the headers.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Browser;
use Longroom;
use Test::More;
use Visitors;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen in any case

my %VISITORS = (
    ann   => { name => 'Ann B.', read => 'team_red', write => 'team_red' },
    carol => { name => 'Carol',  read => 'team_red', write => 'team_red' },
);

# Two other sites, each with just a page and the module. Their ports differ from
# Longroom's, so they are other origins, but get the same cookies.
my %PAGE = (server => q(location = /page { default_type text/html; return 200 '<title>Elsewhere</title>'; }));
my ($listed, $other) = map { Longroom->start(without => [qw(history pushd)], nginx => \%PAGE) } 1 .. 2;

my $browser = Browser->start;
my $window = $browser->window;
my ($l, $mode);

sub open_page {
    my ($site) = @_;
    $window->open($site->url . '/page');
    # Cookies are shared by all ports of a host.
    $window->run('document.cookie = arguments[0]', 'who=ann');
    return;
}

# Joins from the open page; what the module delivers goes into window.log.
my $JOIN = <<'JS';
const [base, name, how] = arguments;
return import('/longroom.js').then(({ join }) => {
  window.log = [];
  window.room?.leave();
  window.room = join(name, {
    base, ...how,
    onHistory: ({ messages }) => log.push('history', ...messages.map((m) => m.content)),
    onMessage: (m) => log.push(`${m.username}: ${m.content}`),
    onState: (state, problem) => log.push([state, problem?.type].join(' ').trim()),
  });
});
JS

my $READ = 'const [base, how] = arguments;'
    . 'return import("/longroom.js").then(({ history }) => history("team_red", { base, ...how }))'
    . '.then(({ count }) => count, ({ type }) => type)';

sub logs {
    my ($line) = @_;
    return $window->eventually(SECONDS, 'return log.includes(arguments[0])', $line);
}

sub carol_says {
    my ($text) = @_;
    my $answer = $l->request(POST => '/rooms/team_red/messages', content => $text,
        headers => { %{ Visitors::headers($mode, 'carol') }, 'Content-Type' => 'text/plain' });
    return $answer->{status};
}

sub said {
    return Longroom::message_contents($l->request(GET => '/rooms/team_red/messages?limit=100',
            headers => Visitors::headers($mode, 'carol')));
}

for (qw(nginx token)) {
    $mode = $_;
    $l = Visitors::start($mode, \%VISITORS, settings => { 'auth.origins' => $listed->url, 'auth.clock_skew' => '0s' });
    my $how = $mode eq 'nginx' ? { credentials => 'include' } : { token => Visitors::token('ann') };
    is carol_says('Hello'), 201, "$mode: there is a message";

    subtest "$mode: a page of a listed origin may use Longroom" => sub {
        open_page($listed);
        is $window->run($READ, $l->url, $how), 1, 'it reads history';
        is $window->run($READ, $l->url, {}), 'unauthorized', '... only with the credentials of its user';
        $window->run($JOIN, $l->url, 'team_red', $how);
        ok logs('live'), 'it joins a room';
        carol_says('Who is there?');
        ok logs('Carol: Who is there?'), 'it receives';
        is $window->run('return room.send("It is me").then((m) => m.username)'), 'Ann B.', 'it sends';
        ok logs('Ann B.: It is me'), 'its messages arrive';
        $window->run($JOIN, $l->url, 'team_blue', $how);
        ok logs('failed forbidden'), 'it is told that another room is forbidden';
    };

    subtest "$mode: a page of another origin may not use Longroom" => sub {
        my $before = said();
        open_page($other);
        is $window->run($READ, $l->url, $how), 'no-answer', 'it cannot read history';
        $window->run($JOIN, $l->url, 'team_red', $how);
        ok logs('retrying no-answer'), 'it cannot join a room';
        is $window->run(q{return room.send('forged', { onRetry: () => room.leave() }).catch(({ type }) => type)}), 'left',
            'it cannot send';
        $window->run(q{return fetch(`${arguments[0]}/rooms/team_red/messages`, { method: 'POST', mode: 'no-cors',
            credentials: 'include', headers: { 'Content-Type': 'text/plain' }, body: 'forged' }).then(() => 0)}, $l->url);
        is_deeply said(), $before, '... nor with a request that needs no preflight';
    };
    next if $mode eq 'token';

    # A form needs no preflight, and carries the cookie.
    my $form = sub {
        my $action = $l->url . '/rooms/team_red/messages';
        return "<form method=post action='$action'><input name=content value='$_[0]'></form>";
    };
    my $answer = sub { $window->eventually(SECONDS, q{return document.forms.length === 0 && document.body?.innerText}) };
    subtest 'a form of another site cannot send' => sub {
        my $before = said();
        for ([$other, 'forged'], [$listed, 'from a friend']) {
            my ($site, $text) = @$_;
            open_page($site);
            $window->run('document.body.innerHTML = arguments[0]; document.forms[0].submit()', $form->($text));
            my $type = $site == $other ? 'forbidden' : 'chat_message';
            like $answer->(), qr/"type":"$type"/, "$text: $type";
        }
        $window->open('data:text/html,' . $form->('forged') . '<script>document.forms[0].submit()</script>');
        # Browsers need not send the cookie to a site other than its own.
        like $answer->(), qr/"type":"(?:forbidden|unauthorized)"/, 'a form of an opaque origin is refused';
        is_deeply said(), [@$before, 'from a friend'], 'only the listed origin has sent';
    };
}
continue { $l->stop if $mode ne 'token' }

subtest 'a token is renewed while a poll waits' => sub {
    my $start = time;
    my @tokens = map { { token => Visitors::token('ann', exp => $_), exp => $_ } } map { $start + 3 * $_ } 1 .. 100;
    open_page($listed);
    $window->run(<<'JS', \@tokens);
window.renewals = -1;
window.newToken = async () => {
  renewals++;
  return arguments[0].find(({ exp }) => exp > Date.now() / 1000 + 2.5).token;
};
JS
    $window->run($JOIN =~ s/\.\.\.how/token: newToken, limit: 1/r, $l->url, 'team_red', {});
    ok logs('live'), 'the page is connected with the first token';
    my $from = scalar @{ $window->run('return log') };
    my @said;
    my $deadline = time + SECONDS;
    while (time < $deadline && $window->run('return renewals') < 2) {
        push @said, 'message ' . @said;
        carol_says($said[-1]);
        logs("Carol: $said[-1]") or last;
        # Let the poll end without a message now and then.
        $window->eventually(3, 'return renewals > arguments[0]', $window->run('return renewals'));
    }
    cmp_ok $window->run('return renewals'), '>=', 2, 'the token is renewed twice or more';
    carol_says('the last');
    ok logs('Carol: the last'), 'the room continues';
    my @log = @{ $window->run('return log') };
    is_deeply [@log[$from .. $#log]], [map {"Carol: $_"} @said, 'the last'],
        'nothing is missed, and nothing else is reported';
};

$_->stop for $l, $listed, $other;
$browser->stop;
done_testing;
