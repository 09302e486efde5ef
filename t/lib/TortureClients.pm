package TortureClients;

# The clients of the torture: writers that repeat unanswered messages, pollers that
# follow their cursors. They do what PROTOCOL asks of a client, and sometimes what real
# clients do besides: leave in the middle, rest, come back with an id as a cursor. They
# judge nothing: all they see goes to a file of lines, one process and one file for
# each group, for TortureCheck.pm to read.
#
# A line is a letter and words:
#     W time writer room mark attempt status id asked   a POST was answered (0: was not)
#     J time poller room asked last                     has joined; `last` is the newest id it
#                                                       knows of, - if it joined by a poll
#     D time poller items                               got messages: id:attempt:mark:size,...
#     X time poller what                                got gap or reset, or another room's message;
#                                                       a page's flags come before its messages. With
#                                                       reset: the cursor sent, and the new one
#     S time who what limit asked status                a slow answer: more than `limit` and a little
#     F time who status content                         was refused
#     C name count                                      counts, at the end
#
# Two kinds are nuisances: those that send a request and hang up at once, and those that
# send bodies that take long to parse. The other clients must not notice them.
#
# A mark names a message: it is the client_id and the first word of the content. The
# username is the number of the attempt: an unsaved message that comes twice from one
# attempt was broadcast twice.

use strict;
use warnings;

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
            my $mark = "$options{name}-" . ++$state->{number};
            $state->{room} = $options{rooms}[rand @{ $options{rooms} }];
            my $size = rand() < 0.5 ? 0 : int rand $options{size};
            $state->{mark} = $mark;
            $state->{content} = length $mark < $size ? "$mark " . 'x' x ($size - length($mark) - 1) : $mark;
        }
        # Now and then it does not wait for an answer, and the repeat meets the first attempt
        # on its way.
        $state->{leave} = $state->{attempt} == 1 && rand() < 0.02 ? 0.001 + rand 0.03 : 0;
        return Longroom::post_bytes($state->{room}, $state->{content}, client_id => $state->{mark},
            user_id => $options{name}, username => "$state->{attempt}");
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
# no or many messages; two of them at once; half a head.
my @ASKED = (
    (map { Longroom::get_bytes("/rooms/$_/poll?timeout=55") } qw(silent silent hot)),
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

# ---------------------------------------------------------------- pollers

# A poller follows one room until it sees a message whose mark begins with
# "end-". Options: name, room, rests (seconds, at most, between some polls),
# leaves (1: hangs up now and then), ids (1: now and then an id for a cursor),
# endless (1: the run does not wait for its end).
sub follow {
    my ($self, %options) = @_;
    my $state = { kind => "poll", name => $options{name}, limit => 0, endless => $options{endless} };
    my $joined = 0;
    my $cursor = 'now';
    my $last_id;
    my $by_history = rand() < 0.5;
    my $ask = sub {
        $state->{leave} = 0;
        if (!$joined) {
            ($state->{kind}, $state->{limit}) = ($by_history ? 'join' : 'poll', 0);
            return Longroom::get_bytes("/rooms/$options{room}/" . ($by_history ? 'messages?limit=5' : 'poll?timeout=0'));
        }
        my $timeout = (0, 1, 3, 8, 20)[rand 5];
        ($state->{kind}, $state->{limit}) = ('poll', $timeout);
        $state->{leave} = rand 2 if $options{leaves} && rand() < 0.1;
        my $after = $options{ids} && $last_id && rand() < 0.3 ? $last_id : $cursor;
        return Longroom::get_bytes("/rooms/$options{room}/poll?after=$after&timeout=$timeout");
    };
    return $self->_add($state, $ask, sub {
        my ($answer) = @_;
        return 1 if $answer->{status} == 0 || $answer->{status} >= 500;
        my ($new) = $answer->{content} =~ /"cursor"\s*:\s*"([^"]+)"/;
        if ($answer->{status} != 200 || !$new) {
            $self->_note_refusal($state, $answer);
            $state->{rest} = 1;
            return 1;
        }
        for my $flag (qw(gap reset)) {
            next if $answer->{content} !~ /"$flag"\s*:\s*true/;
            $self->_note('X', _now(), $options{name}, $flag, $cursor, $new);
            # An id would not say that it is from the replaced log.
            $last_id = undef;
        }
        my ($items, $newest, $ended) = $self->_read_items($options{name}, $options{room}, $answer->{content});
        $cursor = $new;
        $last_id = $newest if $newest;
        if (!$joined) {
            $joined = 1;
            $self->_note('J', _now(), $options{name}, $options{room}, sprintf('%.3f', $state->{asked}),
                $by_history ? $newest || 0 : '-');
            # The messages of a first page are not new.
            return 1;
        }
        $self->_note('D', _now(), $options{name}, $items) if length $items;
        $state->{rest} = rand $options{rests} if $options{rests} && rand() < 0.2;
        return !$ended;
    });
}

# By pattern, because JSON::PP would take longer than the programs do. In valid JSON a
# quote inside a string follows a backslash.
sub _read_items {
    my ($self, $name, $room, $json) = @_;
    my ($items, $newest, $ended) = ('', undef, 0);
    while ($json =~ /\{"type":"chat_message","id":([0-9]+|null),"room_id":"([^"]*)","user_id":"[^"]*",
            "username":"([^"]*)","sender_type":"user","content":"([^"\\ ]*)([^"\\]*)"/xg) {
        my ($id, $in, $attempt, $mark, $rest) = ($1, $2, $3, $4, $5);
        $self->_note('X', _now(), $name, "room:$in") if $in ne $room;
        $self->{count}{'messages delivered'}++;
        $items .= "$id:$attempt:$mark:" . length("$mark$rest") . ',';
        $newest = $id if $id ne 'null';
        $ended = 1 if $id ne 'null' && $mark =~ /^end-/;
    }
    my ($count) = $json =~ /"count":([0-9]+)/;
    $self->_note('X', _now(), $name, 'unreadable') if $count != ($items =~ tr/,//);
    return ($items, $newest, $ended);
}

1;
