package Browser;

# Headless Chromium for a test, over WebDriver: windows, clicks, scripts, the console's
# log, pictures. What the page should do is for the test to say.
#
#     my $why = Browser->missing;                  # undef if nothing is missing
#     my $browser = Browser->start;
#     my $window = $browser->window;
#     $window->open('http://127.0.0.1:8080/');
#     $window->type('#name', 'Ann');
#     my $n = $window->run('return document.links.length');
#     $window->eventually(10, 'return arguments[0] in window', 'app');
#     my @lines = $browser->console;
#
# Nothing of it outlives the test, even if that is killed: chromedriver is the child of
# a guard (this file, run as a program) whose standard input comes from the test. When
# that ends, the guard ends every process that was started in its folder, and removes
# the folder. This is the only place that cleans up.

use strict;
use warnings;

use Cwd         ();
use Errno       ();
use File::Path  ();
use File::Spec  ();
use File::Temp  ();
use HTTP::Tiny  ();
use JSON::PP    ();
use MIME::Base64 ();
use POSIX       qw(WNOHANG);
use Time::HiRes qw(sleep time);

# Deadlines for what must happen in any case: generous, because no passing test waits.
use constant {
    START_SECONDS => 60,
    ASK_SECONDS   => 120,
    STOP_SECONDS  => 10,
};

use constant {
    ENTER       => "\x{E007}",
    ELEMENT_KEY => 'element-6066-11e4-a52e-4f735466cecf',    # WebDriver's name for it
};

# No GPU, no keyring, nothing that calls home; the sandbox needs rights that root and
# containers lack, and only our own pages are shown.
my @ARGUMENTS = qw(
    --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic
    --no-first-run --no-default-browser-check --disable-extensions
    --disable-background-networking --disable-component-update --disable-sync
    --disable-default-apps --disable-domain-reliability --metrics-recording-only
    --disable-background-timer-throttling --disable-renderer-backgrounding
    --disable-backgrounding-occluded-windows --password-store=basic --lang=en-GB
);
push @ARGUMENTS, '--window-size=1100,800', '--host-resolver-rules=MAP intranet.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1';

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

exit guard(@ARGV) if !caller;

# ---------------------------------------------------------------- life

# Why no browser is available, or undef.
sub missing {
    my @absent = grep { !defined in_path($_) } qw(chromium chromedriver);
    return @absent ? "not in PATH: @absent" : undef;
}

sub in_path {
    my ($name) = @_;
    my @found = grep { -x && !-d } map {"$_/$name"} File::Spec->path;
    return $found[0];
}

# Options: any_certificate => 1   accepts certificates that nobody vouches for
sub start {
    my ($class, %options) = @_;
    my $dir = File::Temp::tempdir('lr-browser-XXXXXX', DIR => short_tmp());
    my $self = bless { owner => $$, dir => $dir, any_certificate => $options{any_certificate} }, $class;
    open $self->{life}, '|-', $^X, Cwd::abs_path(__FILE__), $dir, in_path('chromedriver')
        or die "can't run $^X: $!\n";
    $self->{http} = HTTP::Tiny->new(timeout => ASK_SECONDS, keep_alive => 1);
    $self->{port} = $self->_port;
    $self->{session} = $self->_new_session;
    return $self;
}

# Chromium keeps a unix socket in there, whose path has at most 107 bytes.
sub short_tmp {
    my $tmp = File::Spec->tmpdir;
    return length $tmp > 40 ? '/tmp' : $tmp;
}

# chromedriver chooses the port itself and prints it.
sub _port {
    my ($self) = @_;
    my $log = '';
    my $deadline = time + START_SECONDS;
    while (time < $deadline) {
        $log = slurp("$self->{dir}/chromedriver.log");
        return $1 if $log =~ /started successfully on port (\d+)/;
        last if $log =~ /^guard: /m;
        sleep 0.02;
    }
    die "chromedriver does not start:\n$log";
}

sub _new_session {
    my ($self) = @_;
    my $answer = $self->_ask(POST => '/session', {
        capabilities => { alwaysMatch => {
            browserName          => 'chrome',
            acceptInsecureCerts  => $self->{any_certificate} ? JSON::PP::true : JSON::PP::false,
            'goog:loggingPrefs'  => { browser => 'ALL' },
            'goog:chromeOptions' => {
                binary => in_path('chromium'),
                args   => [@ARGUMENTS, "--user-data-dir=$self->{dir}/profile"],
            },
        } },
    });
    return $answer->{sessionId};
}

sub stop {
    my ($self) = @_;
    my $life = delete $self->{life} or return;
    return if $self->{owner} != $$;
    local ($?, $!);
    delete $self->{http};
    close $life;    # and waits for the guard
    return;
}

sub DESTROY {
    my ($self) = @_;
    local $@;
    $self->stop;
    return;
}

# ---------------------------------------------------------------- the guard

# Runs chromedriver until standard input ends, then cleans up.
sub guard {
    my ($dir, $chromedriver) = @_;
    setpgrp 0, 0;    # Ctrl-C is for the test; the guard then sees its end
    chdir '/';       # the test's folder may be closed to us, or removed
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
    # A reader of the test's output must not wait for this process.
    open STDOUT, '>>', "$dir/chromedriver.log";
    open STDERR, '>&', \*STDOUT;
    $SIG{CHLD} = sub { print STDERR "guard: chromedriver has ended\n" };
    my $pid = fork // die "fork: $!\n";
    become_driver($chromedriver, $dir) if !$pid;
    1 while sysread(STDIN, my $ignored, 4096) || $!{EINTR};

    $SIG{CHLD} = 'DEFAULT';
    kill TERM => $pid;
    my $deadline = time + STOP_SECONDS;
    sleep 0.02 while waitpid($pid, WNOHANG) == 0 && time < $deadline;
    $deadline = time + STOP_SECONDS;
    while (-e $dir && time < $deadline) {
        my @left = processes_of($dir);
        kill KILL => @left;
        # Dying processes may still write, so a folder may not be empty.
        File::Path::remove_tree($dir, { error => \my $ignored }) if !@left;
        sleep 0.02;
    }
    return 0;
}

sub become_driver {
    my ($chromedriver, $dir) = @_;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    open STDIN, '<', '/dev/null';
    # All files of Chromium are in the folder.
    local @ENV{qw(HOME TMPDIR XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR)} = ($dir) x 5;
    { no warnings 'exec'; exec { $chromedriver } $chromedriver, '--port=0' }
    print STDERR "guard: can't run $chromedriver: $!\n";
    POSIX::_exit(127);
}

# Chromium's processes leave chromedriver's group. Each has the folder in its
# environment or, if it has overwritten that with its title, in its arguments.
sub processes_of {
    my ($dir) = @_;
    die "not such a folder: $dir\n" if $dir !~ m{/lr-browser-\w+\z};
    my @found;
    for my $pid (map { m{(\d+)\z} } glob '/proc/[0-9]*') {
        my $words = slurp("/proc/$pid/environ") . "\0" . slurp("/proc/$pid/cmdline");
        push @found, $pid if $pid != $$ && index($words, "=$dir") >= 0;
    }
    return @found;
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    return <$in> // '';
}

# ---------------------------------------------------------------- asking

sub _ask {
    my ($self, $method, $path, $body) = @_;
    my %options = $method eq 'POST' ? (
        headers => { 'Content-Type' => 'application/json' },
        content => $JSON->encode($body || {}),
    ) : ();
    my $answer = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", \%options);
    my $json = eval { $JSON->decode($answer->{content}) };
    return $json->{value} if $answer->{success} && $json;
    my $why = $json ? "$json->{value}{error}: $json->{value}{message}" : $answer->{content};
    die "$method $path: $why\n";
}

sub _session {
    my ($self, $method, $path, $body) = @_;
    return $self->_ask($method, "/session/$self->{session}$path", $body);
}

# A window that is not in use yet: the first one, or else a new one.
sub window {
    my ($self) = @_;
    my $handle = $self->{first_taken}++
        ? $self->_session(POST => '/window/new', { type => 'window' })->{handle}
        : $self->_session(GET => '/window');
    return bless { browser => $self, handle => $handle }, 'Browser::Window';
}

# What all windows have written to the console since the last call, as
# {level, source, message}: source is console-api, javascript, network,
# security ...
sub console {
    my ($self) = @_;
    return @{ $self->_session(POST => '/se/log', { type => 'browser' }) };
}

# ----------------------------------------------------------------

package Browser::Window;

use Time::HiRes qw(sleep time);

# Every command goes to the window that was switched to last.
sub _do {
    my ($self, @command) = @_;
    my $browser = $self->{browser};
    if (($browser->{current} // '') ne $self->{handle}) {
        $browser->_session(POST => '/window', { handle => $self->{handle} });
        $browser->{current} = $self->{handle};
    }
    return $browser->_session(@command);
}

sub open {
    my ($self, $url) = @_;
    $self->_do(POST => '/url', { url => $url });
    return;
}

sub reload {
    my ($self) = @_;
    $self->_do(POST => '/refresh');
    return;
}

sub close {
    my ($self) = @_;
    $self->_do(DELETE => '/window');
    delete $self->{browser}{current};
    return;
}

# The body of a function, with its arguments; returns what it returns. A promise
# is waited for.
sub run {
    my ($self, $script, @arguments) = @_;
    return $self->_do(POST => '/execute/sync', { script => $script, args => \@arguments });
}

# Evaluates it until the result is true, and returns that; undef after $seconds.
sub eventually {
    my ($self, $seconds, $script, @arguments) = @_;
    my $deadline = time + $seconds;
    while (1) {
        my $answer = $self->run($script, @arguments);
        return $answer if $answer;
        return if time > $deadline;
        sleep 0.03;
    }
    return;
}

sub _element {
    my ($self, $css) = @_;
    my $found = $self->_do(POST => '/element', { using => 'css selector', value => $css });
    return '/element/' . $found->{ Browser::ELEMENT_KEY() };
}

sub click {
    my ($self, $css) = @_;
    $self->_do(POST => $self->_element($css) . '/click');
    return;
}

# Replaces the contents.
sub type {
    my ($self, $css, $text) = @_;
    my $element = $self->_element($css);
    $self->_do(POST => "$element/clear");
    $self->_do(POST => "$element/value", { text => $text });
    return;
}

# Keys, after the contents.
sub press {
    my ($self, $css, $keys) = @_;
    $self->_do(POST => $self->_element($css) . '/value', { text => $keys });
    return;
}

# The visible text.
sub text {
    my ($self, $css) = @_;
    return $self->_do(GET => $self->_element($css) . '/text');
}

sub screenshot {
    my ($self, $file) = @_;
    my $png = MIME::Base64::decode_base64($self->_do(GET => '/screenshot'));
    CORE::open my $out, '>:raw', $file or die "can't write $file: $!\n";
    print {$out} $png;
    CORE::close $out or die "can't write $file: $!\n";
    return;
}

# A command of Chromium's own protocol.
sub devtools {
    my ($self, $command, %parameters) = @_;
    return $self->_do(POST => '/goog/cdp/execute', { cmd => $command, params => \%parameters });
}

1;
