package Proxy;

# A proxy between a browser and Longroom that does what proxies and networks do to long
# polls and to streams. It interferes only when it is told to:
#
#     my $proxy = Proxy->start($longroom->port);
#     $window->open($proxy->url);
#     $proxy->does('redirect http://127.0.0.1:1/login');   # everything below /rooms/
#     $proxy->does('html');           # 200 and a page, likewise
#     $proxy->does('cut 2');          # 504 to requests not answered in 2 s
#     $proxy->does('swallow');        # Longroom gets the request, its answer is lost
#     $proxy->does('dark');           # open connections carry nothing
#                                     # more and do not end; new ones work
#     $proxy->does('hold');           # streams of events carry nothing
#     $proxy->does('bite 300');       # they end after 300 bytes
#     $proxy->does('pass');
#     my @seen = $proxy->seen;        # the requests since the last call
#
# It is a child process and ends with the object, or with the test. A connection carries
# one request at a time, as from a browser.

use strict;
use warnings;

use IO::Select       ();
use IO::Socket::INET ();
use POSIX            ();
use Socket           qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes      qw(time);

sub start {
    my ($class, $port) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die "listen: $!\n";
    socketpair my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!\n";
    $ours->autoflush(1);
    $its->autoflush(1);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        close $ours;
        my $done = eval { serve($listener, $port, $its); 1 };
        print STDERR "# proxy: $@" if !$done;
        POSIX::_exit($done ? 0 : 1);
    }
    close $its;
    return bless { pid => $pid, owner => $$, port => $listener->sockport, control => $ours }, $class;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }

# Returns when the new behaviour is in effect.
sub does {
    my ($self, $what) = @_;
    my $control = $self->{control};
    print {$control} "$what\n";
    defined readline $control or die "the proxy has ended\n";
    return;
}

sub seen {
    my ($self) = @_;
    my $control = $self->{control};
    print {$control} "seen\n";
    my $line = readline $control // die "the proxy has ended\n";
    chomp $line;
    return split /\t/, $line;
}

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$ || !$self->{control};
    # Processes started meanwhile may hold a copy of it, so closing it would not be
    # noticed.
    close delete $self->{control};
    local ($?, $!);
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

sub DESTROY { $_[0]->stop; return }

# ---------------------------------------------------------------- the child

my ($select, %link, $what, @seen);    # $link{socket}: {from, to, request, asked, dark}

sub serve {
    my ($listener, $port, $control) = @_;
    $what = 'pass';
    $select = IO::Select->new($listener, $control);
    my $test = getppid;
    while (getppid == $test) {
        for my $ready ($select->can_read(0.02)) {
            if ($ready == $control) { obey($control) or return }
            elsif ($ready == $listener) { link_to($port, $listener->accept) }
            elsif ($link{$ready}) { carry($ready, $link{$ready}) }
        }
        cut($1) if $what =~ /\Acut (\S+)/;
    }
    return;
}

sub obey {
    my ($control) = @_;
    my $line = readline $control // return 0;
    chomp $line;
    if ($line eq 'seen') {
        print {$control} join("\t", splice @seen), "\n";
        return 1;
    }
    $what = $line;
    if ($line eq 'dark') {
        for my $link (values %link) {
            $link->{dark} = 1;
            $select->remove($link->{from}, $link->{to});
        }
    }
    print {$control} "done\n";
    return 1;
}

sub link_to {
    my ($port, $from) = @_;
    my $to = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return;
    $_->autoflush(1) for $from, $to;
    my $link = { from => $from, to => $to, asked => 0, request => '' };
    $link{$_} = $link for $from, $to;
    $select->add($from, $to);
    return;
}

sub unlink_all {
    my ($link) = @_;
    $select->remove($link->{from}, $link->{to});
    delete @link{ $link->{from}, $link->{to} };
    close $_ for $link->{from}, $link->{to};
    return;
}

sub carry {
    my ($socket, $link) = @_;
    my $n = sysread $socket, my $bytes, 65_536;
    return unlink_all($link) if !$n;
    if ($socket == $link->{to}) {
        return if $what eq 'swallow' && $link->{request} =~ /\APOST/;
        $link->{asked} = 0;
        return stream($link, $bytes) if $link->{request} =~ m{/rooms/.*/events};
        syswrite $link->{from}, $bytes;
        return;
    }
    my ($request, $path) = $bytes =~ m{\A([A-Z]+ (\S+)) HTTP/1.1\r\n};
    push @seen, $link->{request} = $request if $request;
    $link->{carried} = 0;
    return say_itself($link, $1 eq 'html' ? '200 OK' : "302 Found\r\nLocation: $2")
        if ($path // '') =~ m{/rooms/} && $what =~ /\A(html|redirect) ?(.*)/;
    $link->{asked} = time;
    syswrite $link->{to}, $bytes;
    return;
}

sub stream {
    my ($link, $bytes) = @_;
    return if $what eq 'hold';
    my $most = $what =~ /\Abite (\d+)/ ? $1 - $link->{carried} : length $bytes;
    $link->{carried} += syswrite $link->{from}, substr $bytes, 0, $most;
    return unlink_all($link) if $most < length $bytes;
    return;
}

sub say_itself {
    my ($link, $status) = @_;
    my $page = '<!doctype html><title>A page of the proxy</title>';
    syswrite $link->{from}, "HTTP/1.1 $status\r\nContent-Type: text/html\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($page) . "\r\n\r\n$page";
    return unlink_all($link);
}

sub cut {
    my ($seconds) = @_;
    my %late = map { $_ => $_ } grep { $_->{asked} && !$_->{dark} && time - $_->{asked} > $seconds } values %link;
    say_itself($_, '504 Gateway Timeout') for values %late;
    return;
}

1;
