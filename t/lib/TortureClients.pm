package TortureClients;

# The clients of the torture that send: writers that repeat unanswered messages, and two
# kinds of nuisances. TortureFollowers.pm has those that receive. They judge nothing: all
# they see goes to a file of lines, one process and one file for each group, for
# TortureCheck.pm to read.
#
# A line is a letter and words:
#     W time writer room mark attempt status id asked   a POST was answered (0: was not)
#     S time who what limit asked status                a slow answer: more than `limit` and a little
#     F time who status content                         was refused
#     C name count                                      counts, at the end
#
# and from those that receive:
#     J time who room cursor          has joined the room (* for all): gets what comes after
#                                     the cursor
#     L time who room cursor          has left it: has got what is up to the cursor
#     B time who cursor               has gone back to this old cursor
#     H time who room cursor newest   has read the history of a room that it follows from
#                                     the cursor on, up to this id
#     D time who since items          got messages, and had waited for them since then:
#                                     id:attempt:mark:size:room,...
#     X time who what                 got gap, reset or what it must not get; a page's flags
#                                     come before its messages. With reset: the cursor sent,
#                                     and the new one
#
# The nuisances are clients that send a request and hang up at once, and clients that
# send bodies that take long to parse. The others must not notice them.
#
# A mark names a message: it is the client_id and the first word of the content. One that
# ends with d is in the message's data too. The username is the number of the attempt: an
# unsaved message that comes twice from one attempt was broadcast twice.

use strict;
use warnings;

use Longroom;
use parent -norequire, 'Longroom::Crowd';
use Time::HiRes qw(time);

# After that a client stops waiting, so that the run continues; nginx does after 75 s.
use constant GIVE_UP_SECONDS => 90;

use constant {
    SLOW_SECONDS   => 2,      # past its limit: worth a line
};

sub start {
    my ($class, $l, $path) = @_;
    my $self = $class->SUPER::new($l->_address);
    open $self->{out}, '>', $path or die "can't write $path: $!\n";
    $self->{count} = {};
    return $self;
}

sub _note {
    my ($self, @words) = @_;
    print { $self->{out} } join(' ', @words), "\n";
    return;
}

sub _now { return sprintf '%.3f', time }

# Runs until $end says true or all are done; SIGTERM ends it too.
sub work {
    my ($self, $end) = @_;
    my $ended = 0;
    local $SIG{TERM} = sub { $ended = 1 };
    my $looked = 0;
    $self->run(1e9, sub {
        return 1 if $ended || $end && $end->();
        return 0 if time < $looked + 0.1;
        $looked = time;
        $self->_look_after($_) for @{ $self->{clients} };
        return !grep { $_->{out} && !$_->{state}{endless} } @{ $self->{clients} };
    });
    $self->close;
    $self->_note('C', $_ =~ tr/ /_/r, $self->{count}{$_}) for sort keys %{ $self->{count} };
    close $self->{out} or die "can't write: $!\n";
    return;
}

# Clients that leave, and clients that have waited for too long.
sub _look_after {
    my ($self, $client) = @_;
    my $state = $client->{state} or return;
    return if !$client->{out} || time < $state->{asked};
    if (time > $state->{asked} + GIVE_UP_SECONDS) {
        $self->_fail($client, 'no answer');
    }
    elsif ($state->{leave} && time > $state->{asked} + $state->{leave}) {
        $self->{count}{"$state->{kind} left"}++;
        $self->_fail($client, 'left');
    }
    return;
}

# A client whose next request comes from $ask->() and whose answers go to
# $hear->($answer): false ends it.
sub _add {
    my ($self, $state, $ask, $hear) = @_;
    $state->{asked} = time;
    my $client = $self->add(sub {
        my ($answer) = @_;
        if ($answer) {
            my $it = $state->{client};
            $self->{count}{"$state->{kind} " . ($answer->{error} && $answer->{error} eq 'left' ? 'left' : $answer->{status})}++;
            $self->_note_slow($state, $answer);
            $state->{rest} = $answer->{status} == 0 || $answer->{status} >= 500 ? 0.05 + rand 0.4 : 0;
            $hear->($answer) or return;
            if ($state->{rest}) {
                $self->_drop($it);
                $it->{at} = time + $state->{rest};
            }
            $state->{asked} = time + $state->{rest};
        }
        return $ask->();
    });
    $client->{state} = $state;
    $state->{client} = $client;
    # So many clients do not all start at once.
    $client->{at} = $state->{asked} = time + rand 1;
    return;
}

sub _note_slow {
    my ($self, $state, $answer) = @_;
    my $took = time - $state->{asked};
    $self->{count}{"$state->{kind} slowest ms"} = int 1000 * $took
        if 1000 * $took > ($self->{count}{"$state->{kind} slowest ms"} || 0);
    return if $took < $state->{limit} + SLOW_SECONDS;
    $self->_note('S', _now(), $state->{name}, $state->{kind}, $state->{limit},
        sprintf('%.3f', $state->{asked}), $answer->{status});
    return;
}

sub _note_refusal {
    my ($self, $state, $answer) = @_;
    $self->_note('F', _now(), $state->{name}, $answer->{status}, substr($answer->{content}, 0, 300) =~ s/\s+/ /gr);
    return;
}

# ---------------------------------------------------------------- writers

# A writer sends messages into its rooms in turn, in bursts on one connection and with
# rests between. Options: name, rooms, rest (mean seconds between bursts), burst
# (maximum of messages), size (maximum of bytes).
sub write_into {
    my ($self, $until, %options) = @_;
    my $state = { kind => 'post', name => $options{name}, limit => 0, number => 0, attempt => 0, burst => 1 };
    my $ask = sub {
        if (!$state->{attempt}++) {
            my $mark = "$options{name}-" . ++$state->{number} . (rand() < 0.5 ? 'd' : '');
            $state->{room} = $options{rooms}[rand @{ $options{rooms} }];
            my $size = rand() < 0.5 ? 0 : int rand $options{size};
            $state->{mark} = $mark;
            $state->{content} = length $mark < $size ? "$mark " . 'x' x ($size - length($mark) - 1) : $mark;
        }
        # Now and then it does not wait for an answer, and the repeat meets the first attempt
        # on its way.
        $state->{leave} = $state->{attempt} == 1 && rand() < 0.02 ? 0.001 + rand 0.03 : 0;
        return Longroom::post_bytes($state->{room}, $state->{content}, client_id => $state->{mark},
            user_id => $options{name}, username => "$state->{attempt}",
            $state->{mark} =~ /d$/ ? (data => { mark => $state->{mark} }) : ());
    };
    return $self->_add($state, $ask, sub {
        my ($answer) = @_;
        my $status = $answer->{status};
        my ($id) = $answer->{content} =~ /"id"\s*:\s*([0-9]+|null)/;
        $self->_note('W', _now(), $options{name}, $state->{room}, $state->{mark}, $state->{attempt}, $status,
            $id // '-', sprintf '%.3f', $state->{asked});
        return 1 if $status == 0 || $status >= 500;
        $self->_note_refusal($state, $answer) if $status >= 300;
        $state->{attempt} = 0;
        return 0 if time > $until;
        if (--$state->{burst} <= 0) {
            $state->{burst} = 1 + int rand $options{burst};
            $state->{rest} = rand 2 * $options{rest};
        }
        return 1;
    });
}

# ---------------------------------------------------------------- nuisances

# Requests to send before hanging up: polls that would wait for longest, in rooms with
# no or many messages; streams of them; two polls at once; half a head.
my @ASKED = (
    (map { Longroom::get_bytes("/rooms/$_/poll?timeout=55") } qw(silent silent hot), 'silent,hot,talk'),
    (map { Longroom::get_bytes("/rooms/$_/events") } qw(silent hot *), 'silent,hot,talk'),
    Longroom::get_bytes('/rooms/silent/poll?timeout=55') x 2,
    "GET /rooms/silent/poll?timeout=55 HTTP/1.1\r\nHost: loc",
);

# Sends a request and hangs up, again and again, until SIGTERM: through nginx or straight
# to longroom-pushd, whether it runs, is stopped or is down.
sub ask_and_leave {
    my ($self, $l) = @_;
    my $ended = 0;
    local $SIG{TERM} = sub { $ended = 1 };
    my @peers = map { Longroom::Crowd->new($l->_address($_)) } qw(nginx pushd);
    while (!$ended) {
        for (1 .. 1 + rand 20) {
            my $peer = $peers[rand @peers];
            socket my $socket, $peer->{family}, Socket::SOCK_STREAM(), 0 or die "socket: $!\n";
            $socket->blocking(0) if $peer->{family} == Socket::PF_UNIX();
            # No program may be listening, or the backlog may be full.
            connect($socket, $peer->{peer}) && defined syswrite($socket, $ASKED[rand @ASKED])
                and $self->{count}{'asked and left'}++;
            close $socket;
        }
        select undef, undef, undef, rand 0.2;
    }
    $self->_note('C', 'asked_and_left', $self->{count}{'asked and left'} || 0);
    close $self->{out} or die "can't write: $!\n";
    return;
}

# Bodies as long as nginx lets pass, or nearly, with the answers that they must get.
my %COSTLY = (
    arrays     => ['400', sub { '{"content":' . '[' x 50_000 . ']' x 50_000 . '}' }],
    flat       => ['400', sub { '{"content":"x","a":[' . join(',', ('[1]') x 25_000) . ']}' }],
    objects    => ['400', sub { '{"content":' . '{"a":' x 16_000 . '1' . '}' x 16_000 . '}' }],
    members    => ['400', sub { '{"content":"x",' . join(',', map {"\"m$_\":1"} 1 .. 8000) . '}' }],
    unfinished => ['400', sub { '{"content":"' . '\\\\' x 49_000 }],
    escapes    => ['20[12]', sub { '{"content":"' . '\\u0041' x 16_000 . '"}' }],
    longer     => ['413', sub { '{"content":"' . '\\u00e9' x 16_500 . '"}' }],
);

# Sends such bodies into $room until $until, with rests of up to $rest seconds.
sub send_costly {
    my ($self, $until, %options) = @_;
    my $state = { name => $options{name}, limit => 0, kind => 'costly' };
    my @kinds = sort keys %COSTLY;
    my $kind;
    return $self->_add($state, sub {
        $kind = $kinds[rand @kinds];
        my $body = $COSTLY{$kind}[1]->();
        return "POST /rooms/$options{room}/messages HTTP/1.1\r\nHost: localhost\r\n"
            . 'Content-Type: application/json' . "\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    }, sub {
        my ($answer) = @_;
        $state->{rest} ||= rand $options{rest};
        $answer->{content} = "to $kind: $answer->{content}";
        $self->_note_refusal($state, $answer)
            if $answer->{status} != 0 && $answer->{status} < 500 && $answer->{status} !~ /^$COSTLY{$kind}[0]$/;
        return time <= $until;
    });
}

1;
