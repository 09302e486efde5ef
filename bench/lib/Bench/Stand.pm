package Bench::Stand;

# What is measured, running: Longroom itself, the floors behind the same nginx, and
# nchan. Each is a Longroom (t/lib/Longroom.pm) with some programs replaced, so that
# starting, waiting and ending are the same for all.
#
#     my $stand = Bench::Longroom->start(nginx_workers => 1);
#     $stand->straight_url      past nginx, over TCP
#     $stand->url               through nginx
#     $stand->post_url          where messages are sent
#     $stand->processes         {name => pid} of the delivering programs
#     $stand->end

use strict;
use warnings;

use parent 'Longroom';

# In the order of starting.
use constant PROGRAMS => qw(nginx history pushd);

# Options: what the class takes, kept in {bench}; nginx_workers, settings and
# without as Longroom's.
sub start {
    my ($class, %options) = @_;
    my %for_longroom = map { defined $options{$_} ? ($_ => $options{$_}) : () } qw(nginx_workers settings operator);
    my $self = $class->SUPER::start(%for_longroom, without => [PROGRAMS]);
    $self->{bench} = \%options;
    # These two are left out above, together with nginx.
    $self->{listener} = $self->_listen;
    $self->_write_nginx_conf;
    my %without = map { $_ => 1 } @{ $options{without} || [] };
    $self->start_program($_) for grep { !$without{$_} } PROGRAMS;
    return $self;
}

sub straight_url {
    my ($self) = @_;
    return 'http://127.0.0.1:' . _listening_port($self->pid('pushd'));
}

sub post_url { return $_[0]->url }

# Options that longroom-load needs for this one.
sub load_options { return () }

sub processes {
    my ($self) = @_;
    return { map { $self->pid($_) ? ($_ => $self->pid($_)) : () } PROGRAMS };
}

# The TCP port on which a process listens. It is asked to choose one itself.
sub _listening_port {
    my ($pid) = @_;
    my %inodes = map { (readlink($_) // '') =~ /^socket:\[([0-9]+)\]/ ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    for my $line (split /\n/, Longroom::slurp("/proc/$pid/net/tcp")) {
        my (undef, $local, undef, $state, @rest) = split ' ', $line;
        return hex((split /:/, $local)[1]) if $state eq '0A' && $inodes{ $rest[5] };
    }
    die "process $pid does not listen on TCP\n";
}

# Keeps these programs, their threads and their children on one core, and the others on
# another; does nothing if there is only one core.
sub pin {
    my ($self, @names) = @_;
    $self->{pinned} = \@names;
    return if cores() < 2;
    my %first = map { $_ => 1 } @names;
    for my $name (keys %{ $self->processes }) {
        my $pid = $self->pid($name);
        my @children = split ' ', Longroom::slurp("/proc/$pid/task/$pid/children");
        for my $process ($pid, @children) {
            my $result = Longroom::run(['taskset', '-acp', $first{$name} ? 0 : 1, $process]);
            die "taskset: $result->{stderr}" if $result->{status};
        }
    }
    return;
}

# The prefix for a program whose instructions are counted.
sub callgrind {
    my ($file) = @_;
    return ('valgrind', '-q', '--tool=callgrind', "--callgrind-out-file=$file");
}

# The option callgrind => {PROGRAM => FILE}.
sub _callgrind {
    my ($self, $name) = @_;
    my $file = $self->{bench}{callgrind}{$name} // return;
    return callgrind($file);
}

# Restarts all programs: what a start decides at random, such as where memory lies and
# which room of a table is crowded, then varies between runs.
sub renew {
    my ($self) = @_;
    my @names = grep { $self->pid($_) } PROGRAMS;
    $self->restart(@names);
    $self->pin(@{ $self->{pinned} }) if $self->{pinned};
    return;
}

sub cores {
    return scalar(() = Longroom::slurp('/proc/cpuinfo') =~ /^processor\s*:/mg) || 1;
}

sub end {
    my ($self) = @_;
    my @problems = $self->_end;
    die map {"$_\n"} @problems if @problems;
    return;
}

# ----------------------------------------------------------------

package Bench::Longroom;

# Longroom as it ships; longroom-pushd listens on TCP as well. Options:
# database => FILE; tokens => FILE, as longroom-load's; fsync_watch => FILE (fsync_watch.c); callgrind;
# build => DIR, whose longroom-history and longroom-pushd they are.

use parent -norequire, 'Bench::Stand';

sub start {
    my ($class, %options) = @_;
    $options{settings}{'store.url'} = "sqlite:$options{database}" if $options{database};
    return $class->SUPER::start(%options, operator => 1);
}

sub load_options {
    my ($self) = @_;
    my $file = $self->{bench}{tokens};
    return defined $file ? ("--tokens=$file") : ();
}

sub _command {
    my ($self, $name) = @_;
    my @command = $self->SUPER::_command($name);
    return @command if $name eq 'nginx';
    $command[0] = "$self->{bench}{build}/longroom-$name" if $self->{bench}{build};
    push @command, '-o', "push.listen=unix:$self->{dir}/push.sock 127.0.0.1:0" if $name eq 'pushd';
    unshift @command, $self->_callgrind($name);
    my $watch = $self->{bench}{fsync_watch};
    unshift @command, 'env', 'LD_PRELOAD=' . Longroom::program('fsync-watch.so'), "FSYNC_WATCH=$watch"
        if $name eq 'history' && $watch;
    return @command;
}

# ----------------------------------------------------------------

package Bench::Floor;

# floor-push and floor-fcgi behind the nginx that Longroom ships. Options:
# page_bytes, threads, callgrind.

use parent -norequire, 'Bench::Stand';

use constant {
    THREADS    => 32,      # as Longroom's; from 2 to 32 it is as fast
    PAGE_BYTES => 2700,
};

sub _command {
    my ($self, $name) = @_;
    return $self->SUPER::_command($name) if $name eq 'nginx';
    return ($self->_callgrind($name), Longroom::program('floor-fcgi'), $self->socket_path('history'),
        $self->{bench}{threads} || THREADS, $self->{bench}{page_bytes} || PAGE_BYTES)
        if $name eq 'history';
    return ($self->_callgrind($name), Longroom::program($self->push_program), 'unix:' . $self->socket_path('pushd'), '127.0.0.1:0');
}

sub push_program { return 'floor-push' }

# nginx sends every POST to floor-fcgi, which has no waiters.
sub post_url { return 'unix:' . $_[0]->socket_path('pushd') }

# ----------------------------------------------------------------

package Bench::EventsFloor;

# The same with floor-events.

use parent -norequire, 'Bench::Floor';

sub push_program { return 'floor-events' }

# ----------------------------------------------------------------

package Bench::Nchan;

# nchan in an nginx of its own: Debian's module, with fast settings (several messages an
# answer, no access log), and a buffer longer than any run.

use parent -norequire, 'Bench::Stand';

use constant MODULE => '/usr/lib/nginx/modules/ngx_nchan_module.so';

sub is_there { return -e MODULE }

sub start {
    my ($class, %options) = @_;
    return $class->SUPER::start(%options, without => [qw(pushd history)]);
}

sub straight_url { return $_[0]->url }

sub load_options {
    my ($self) = @_;
    my $room = 'bench-' . ++$self->{rooms_used};
    # The position from which followers start (load/nchan.h).
    my $answer = $self->request(
        POST    => "/rooms/$room/messages",
        headers => { 'Content-Type' => 'application/json' },
        content => qq({"id":null,"saved":false,"room_id":"$room","content":"first"}\n),
    );
    die "nchan answers $answer->{status}: $answer->{content}\n" if $answer->{status} >= 300;
    return ('--nchan', "--room=$room", '--poll-timeout=55');
}

sub _write_nginx_conf {
    my ($self) = @_;
    my $descriptors = Longroom::descriptor_limit();
    $descriptors = 20_000 if $descriptors > 20_000;
    my ($dir, $port, $user) = ($self->{dir}, $self->port, $> == 0 ? 'user root;' : '');
    my $temporary = join "\n", map {"    ${_}_temp_path $dir/nginx-tmp;"} qw(client_body fastcgi proxy scgi uwsgi);
    Longroom::spew("$dir/nginx.conf", <<"END");
load_module @{[MODULE]};
$user
worker_processes $self->{workers};
worker_rlimit_nofile $descriptors;
events {
    worker_connections 20000;
}
pid $dir/nginx.pid;
error_log stderr error;
http {
    access_log off;
$temporary
    server_tokens off;
    nchan_max_reserved_memory 512M;
    server {
        listen 127.0.0.1:$port backlog=4096;
        location ~ ^/rooms/([^/]+)/messages\$ {
            nchan_publisher;
            nchan_channel_id \$1;
            nchan_message_buffer_length 1000000;
            nchan_message_timeout 1h;
        }
        location ~ ^/rooms/([^/]+)/poll\$ {
            nchan_subscriber longpoll;
            nchan_channel_id \$1;
            nchan_subscriber_first_message -1;
            nchan_subscriber_timeout 0;
            nchan_longpoll_multipart_response raw;
        }
        location ~ ^/rooms/([^/]+)/events\$ {
            nchan_subscriber eventsource;
            nchan_channel_id \$1;
            nchan_subscriber_first_message newest;
            nchan_subscriber_timeout 0;
        }
    }
}
END
    return;
}

1;
