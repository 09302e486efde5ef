package Stream;

# One response of events (PROTOCOL section 6), read strictly: a line that is no field
# of an event, a field twice, or a chunk without its end dies.
#
#     my $s = Stream->open($l, '/rooms/room_1/events', headers => ['Last-Event-ID: 7']);
#     my $event = $s->next;       # {event, id, data, json, retry}
#     $s->contents(2);            # 'Hello Hi', the contents of the next two messages
#
# Options: method, version, headers (lines), behind (bytes sent behind the request),
# rcvbuf, to (pushd).

use strict;
use warnings;

use JSON::PP ();
use Longroom;
use Socket      ();
use Time::HiRes qw(time);

my $JSON = JSON::PP->new->utf8;

sub request {
    my ($path, %options) = @_;
    my $headers = join '', map {"$_\r\n"} @{ $options{headers} || [] };
    return ($options{method} || 'GET') . " $path HTTP/" . ($options{version} || '1.1') . "\r\nHost: localhost\r\n$headers\r\n";
}

sub open {
    my ($class, $l, $path, %options) = @_;
    my $c = $l->connect($options{to} || 'pushd');
    setsockopt $c->socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), $options{rcvbuf} if $options{rcvbuf};
    my $self = bless { c => $c, text => '', events => [], comments => 0, chunks => [] }, $class;
    $c->write(request($path, %options) . ($options{behind} // ''));
    return $self;
}

# The response to the next request on the same connection.
sub behind {
    my ($self) = @_;
    return bless { c => $self->{c}, text => '', events => [], comments => 0, chunks => [] }, ref $self;
}

# Moves what has come on: head, chunks, lines, events.
sub _digest {
    my ($self) = @_;
    my $buffer = \$self->{c}{buffer};
    if (!$self->{head}) {
        $$buffer =~ s/\A(.*?\r\n)\r\n//s or return;
        my $head = $1;
        ($self->{status}) = $head =~ m{\AHTTP/1\.1 ([0-9]+)};
        $self->{head}    = $head;
        $self->{chunked} = $head =~ /^Transfer-Encoding: chunked\r$/m;
    }
    if (!$self->{chunked}) {
        $self->{text} .= $$buffer;
        $$buffer = '';
        $self->{over} = 1 if $self->{c}{ended};
    }
    while ($self->{chunked} && !$self->{over} && $$buffer =~ /\A([0-9a-f]+)\r\n/) {
        my ($start, $size) = ($+[0], hex $1);
        last if length $$buffer < $start + $size + 2;
        die "a chunk does not end with CRLF\n" if substr($$buffer, $start + $size, 2) ne "\r\n";
        $self->{text} .= substr $$buffer, $start, $size;
        push @{ $self->{chunks} }, $size if $size;
        substr $$buffer, 0, $start + $size + 2, '';
        $self->{over} = 1 if $size == 0;
    }
    while ($self->{text} =~ s/\A(.*?)\n\n//s) {
        my ($lines, %event) = $1;
        if ($lines eq ':') { $self->{comments}++; next }
        for (split /\n/, $lines) {
            my ($name, $value) = /\A(retry|id|event|data): (.*)\z/ or die "a bad line: $_\n";
            die "$name twice\n" if exists $event{$name};
            $event{$name} = $value;
        }
        $event{json} = $JSON->decode($event{data});
        $event{event} //= 'message';
        push @{ $self->{events} }, \%event;
    }
    return;
}

# Reads until there are so many events, or the condition holds; true if so.
sub until {
    my ($self, $wanted, $seconds) = @_;
    my $deadline = time() + ($seconds || 20);
    while (1) {
        $self->_digest;
        return 1 if ref $wanted ? $wanted->($self) : @{ $self->{events} } >= $wanted;
        return 0 if !$self->{c}->_fill($deadline);
    }
    return;
}

# The next event, or one without a name or members.
sub next {
    my ($self, $seconds) = @_;
    $self->until(1, $seconds);
    return shift @{ $self->{events} } || { event => 'nothing', json => {} };
}

sub is_over {
    my ($self, $seconds) = @_;
    return $self->until(sub { $_[0]{over} }, $seconds);
}

# The contents of the next messages.
sub contents {
    my ($self, $count) = @_;
    return join ' ', map { my $e = $self->next; $e->{json}{content} // $e->{event} } 1 .. $count;
}

sub close {
    my ($self) = @_;
    $self->{c}->close;
    return;
}

1;
