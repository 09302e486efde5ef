# Streams with clients that nobody here wrote: curl, Chromium's EventSource, the package
# eventsource, htmx; over HTTP/1.1 and HTTP/2. They come back by the rules of the HTML
# standard and nothing else, and miss nothing.
#
# ./quickstart check installs the packages (t/clients/package.json); without them their
# clients are skipped.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Browser;
use Longroom;
use Test::More;
use Time::HiRes qw(sleep);
use Visitors;

use constant {
    SECONDS  => 60,    # for what must happen in any case
    MESSAGES => 1000,
};

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
    plan skip_all => 'curl or openssl is not in PATH' if !Browser::in_path('curl') || !Browser::in_path('openssl');
}

my $SOURCE   = Longroom::source_dir() . '/t/clients';
my $PACKAGES = $ENV{LONGROOM_CLIENTS} // Longroom::build_dir() . '/clients';
my $no_packages = !Browser::in_path('node') ? 'node is not in PATH'
    : -d "$PACKAGES/node_modules/eventsource" ? undef
    : 'the packages of t/clients are not installed: ./quickstart check installs them';

# ---------------------------------------------------------------- clients

my (%process, %window);    # by the client's name

END { my $status = $?; kill KILL => map { -$_ } values %process; $? = $status }

my $dir = Longroom::fresh_dir();

# What a program has printed. Names have slashes.
sub output { return "$dir/" . $_[0] =~ tr{/}{-}r }

# A program that prints ids.
sub run_client {
    my ($name, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDOUT, '>', output($name) or POSIX::_exit(126);
        { no warnings 'exec'; exec { $command[0] } @command }
        POSIX::_exit(127);
    }
    $process{$name} = $pid;
    return;
}

sub got {
    my ($name) = @_;
    return $window{$name}->run('return window.got ?? []') if $window{$name};
    return [split /\n/, Longroom::slurp(output($name))];
}

# Waits until all have so many messages; otherwise says which do not.
sub all_get {
    my ($count, $title) = @_;
    my @behind = sort keys %process, keys %window;
    Longroom::eventually(undef, SECONDS, sub { @behind = grep { @{ got($_) } < $count } @behind; !@behind });
    return is(join(', ', @behind), '', $title);
}

# ---------------------------------------------------------------- all of them at once

my $l = Longroom->start(without => ['pushd'], tls => 1, shutdown => '1s', nginx => {
    http   => 'gzip on; gzip_types *;',
    server => "location /clients/ { alias $SOURCE/; }\nlocation /modules/ { alias $PACKAGES/node_modules/; }" });
my $browser = Browser->start(any_certificate => 1);
my %url = ('HTTP/1.1' => $l->url, 'HTTP/2' => $l->tls_url);
my $EVENTS = '/rooms/room_1/events?after=0';

run_client('curl over HTTP/1.1', "$SOURCE/curl", '--http1.1', $l->url . $EVENTS);
run_client('curl over HTTP/2', "$SOURCE/curl", '--http2', '--cacert', $l->certificate, $l->tls_url . $EVENTS);

sub open_page {
    my ($page, $version) = @_;
    my $name = "$page in Chromium over $version";
    $window{$name} = $browser->window;
    $window{$name}->open("$url{$version}/clients/$page.html");
    is $window{$name}->run('return performance.getEntriesByType("navigation")[0].nextHopProtocol'),
        $version eq 'HTTP/2' ? 'h2' : 'http/1.1', "$name: the page is loaded over it";
    return $window{$name};
}

# Chromium reports each time that it is told to come back.
for (map { open_page('native', $_) } sort keys %url) {
    ok $_->eventually(SECONDS, 'return errors > 0 && !isDead()'), 'EventSource waits for longroom-pushd to start';
}

SKIP: {
    skip $no_packages, 4 if $no_packages;
    for my $page (qw(eventsource htmx)) {
        open_page($page, $_) for sort keys %url;
    }
    local $ENV{NODE_EXTRA_CA_CERTS} = $l->certificate;
    for (['HTTP', $l->url], ['TLS', $l->tls_url]) {
        my $name = "eventsource in Node.js over $_->[0]";
        run_client($name, 'node', "$SOURCE/eventsource.js", $PACKAGES, $_->[1] . $EVENTS);
    }
}

$l->start_program('pushd');
$l->send_all('room_1', ['the first'], clients => 1);
all_get(1, 'all clients are there once longroom-pushd is') or die;

# What happens before which message is sent. The streams that the old workers of nginx
# have are cut a second after its reload.
my %old = map { $_ => 1 } $l->nginx_workers;
my %happens = (
    150 => sub { $l->signal('pushd', 'KILL') },
    250 => sub { $l->start_program('pushd') },
    350 => sub { $l->signal('pushd', 'TERM') },
    450 => sub { $l->await_end('pushd'); $l->start_program('pushd') },
    550 => sub { $l->signal('nginx', 'HUP') },
    900 => sub {
        ok Longroom::eventually(undef, SECONDS, sub { !grep { $old{$_} } $l->nginx_workers }), 'nginx has been reloaded';
    },
);
$l->send_all('room_1', [map {"message $_"} 2 .. MESSAGES], clients => 4, retry => 1, before => sub {
    my $happens = delete $happens{ $_[0] };
    sleep 0.004;
    $happens->() if $happens;
});

my @ids = map { $_->{id} } @{ $l->whole_history('room_1') };
is scalar @ids, MESSAGES, 'all messages are saved';
all_get(MESSAGES, 'all clients get all of them');
for my $name (sort keys %process, keys %window) {
    Longroom::same_list(got($name), \@ids, "$name: each message once, in order, over two restarts of longroom-pushd and a reload of nginx");
}
$l->post('room_1', 'the last');
all_get(MESSAGES + 1, 'no client is dead');

kill KILL => map { -$_ } values %process;
waitpid $_, 0 for values %process;
%process = ();

# ---------------------------------------------------------------- many, and other origins

my ($window) = values %window;

# Opens streams; what comes of them all goes into window.got, and the states that their
# errors leave them in into window.states.
my $OPEN = <<'JS';
const [count, url, how] = arguments;
window.sources?.forEach((source) => source.close());
window.got = [];
window.states = [];
window.sources = Array.from({ length: count }, () => new EventSource(url, how));
for (const source of sources) {
  source.onmessage = ({ data }) => got.push(JSON.parse(data).content);
  source.onerror = () => states.push(source.readyState);
}
JS

sub comes { return $window->eventually(SECONDS, 'return got.filter((content) => content === arguments[0]).length === arguments[1]', @_) }

# Waits for two more errors: a stream that was cut, and one that nginx answered.
sub is_sent_back {
    my ($title) = @_;
    my $before = $window->run('return states.length');
    return ok $window->eventually(SECONDS, 'return states.length >= arguments[0]', $before + 2), $title;
}

subtest 'over HTTP/2 a browser has more streams than the six connections of HTTP/1.1' => sub {
    $window->open($l->tls_url . '/clients/native.html');
    $window->run($OPEN, 20, '/rooms/room_2/events?after=0', {});
    $l->post('room_2', 'to twenty');
    ok comes('to twenty', 20), 'each of twenty gets a message';
    is $window->run('return fetch("/clients/native.html").then(({ status }) => status)'), 200, 'the site still loads';
};
$l->stop;

# Two other sites. The first is the application that identifies Longroom's users.
my $PAGE = q(location = /page { default_type text/html; return 200 '<title>Elsewhere</title>'; });
my ($site, $stranger) = map { Longroom->start(without => [qw(history pushd)], nginx => { server => $PAGE, http => $_ }) } <<"END", undef;
    server {
        listen unix:$dir/site.sock;
        add_header Longroom-User-Id \$cookie_who always;
        add_header Longroom-Read team_red always;
        add_header Longroom-Write team_red always;
        return 204;
    }
END
$l = Longroom->start(nginx => Visitors::asked_at("$dir/site.sock"),
    settings => { 'auth.mode' => 'nginx', 'auth.origins' => $site->url });

sub ann_says {
    my ($text) = @_;
    return $l->request(POST => '/rooms/team_red/messages', content => $text,
        headers => { Cookie => 'who=ann', 'Content-Type' => 'text/plain' })->{status};
}

sub open_elsewhere {
    my ($from) = @_;
    $window->open($from->url . '/page');
    $window->run('document.cookie = "who=ann"');
    $window->run($OPEN, 1, $l->url . '/rooms/team_red/events?after=0', { withCredentials => \1 });
    return;
}

subtest 'the stream of a page of a listed origin stays alive' => sub {
    $l->stop_program('pushd');
    open_elsewhere($site);
    is_sent_back('longroom-pushd is down when it begins');
    $l->start_program('pushd');
    is ann_says('one'), 201, 'a message is sent';
    ok comes('one', 1), 'when longroom-pushd is there, it arrives';

    $l->signal('pushd', 'KILL');
    is ann_says('two'), 201, 'longroom-pushd is killed, and a message is sent';
    is_sent_back('... the stream is sent back');
    $l->start_program('pushd');
    ok comes('two', 1), '... and the message arrives later';

    $site->stop_program('nginx');
    $l->restart('pushd');
    is_sent_back('the application is down, and the stream is sent back');
    $site->start_program('nginx');
    is ann_says('three'), 201, 'the application is there again';
    ok comes('three', 1), '... and a message arrives';
    is_deeply $window->run('return got'), [qw(one two three)], 'nothing is missed, doubled or out of order';
    is_deeply $window->run('return states.filter((state) => state === EventSource.CLOSED)'), [], 'it has never been closed';
};

subtest 'a page of another origin gets nothing, whoever is down' => sub {
    $l->stop_program('pushd');
    open_elsewhere($stranger);
    is_sent_back('longroom-pushd is down when it begins');
    $l->start_program('pushd');
    ok $window->eventually(SECONDS, 'return states.includes(EventSource.CLOSED)'), 'its stream is refused when longroom-pushd is there';
    is_deeply $window->run('return got'), [], 'no message has come';
};

$_->stop for $l, $site, $stranger;
$browser->stop;
done_testing;
