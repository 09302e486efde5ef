package TortureFollowers;

# The clients of the torture that receive: each follows one room, several or all, by
# polls, by streams, or by both in turn. They do what PROTOCOL asks of a client: one
# cursor for all rooms, kept over every failure; a stream is resumed by Last-Event-ID
# after the time that retry gave. Sometimes they do what real clients do besides: leave
# in the middle of an answer or of an event, do not read for a while, rest, come back
# with an id or an old cursor, take a room in and leave one.
#
# TortureClients.pm has the lines that they write; they judge nothing.

use strict;
use warnings;

use TortureCheck   ();
use TortureClients ();
use parent -norequire, 'TortureClients';
use JSON::PP    ();
use List::Util  qw(shuffle);
use Socket      qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(time);

use constant {
    # A stream says something, if only a comment, at least this often.
    SILENCE_SECONDS => 25,
    OLD_CURSORS     => 20,
    ROOMS_MOST      => 10,
    HISTORY_LIMIT   => 5,
};

sub start {
    my ($class, $l, $path) = @_;
    my $self = $class->SUPER::start($l, $path);
    $self->{peers} = { map { $_ => Longroom::Crowd->new($l->_address($_)) } qw(nginx pushd) };
    return $self;
}

# Follows rooms until it has seen, in each, a message whose mark begins with "end-".
# Options:
#     name
#     rooms     names, or '*' alone
#     every     all rooms with an end, for '*'
#     ways      'poll', 'stream', or both
#     straight  1: to longroom-pushd without nginx (history always needs nginx)
#     rests     seconds, at most, between some requests
#     leaves    1: hangs up now and then
#     unread    1: does not read its stream for a while, now and then
#     ids       1: now and then an id for a cursor
#     back      1: now and then goes back to an old cursor
#     changes   rooms that it takes in and leaves
#     until     a time: from then on it neither goes back nor changes its rooms
#     endless   rooms without an end; with no others, the run does not wait for it
sub follow {
    my ($self, %options) = @_;
    my %endless = map { $_ => 1 } @{ $options{endless} || [] };
    my $state = {
        %options,
        kind      => 'poll',
        limit     => 0,
        rooms     => { map { $_ => 1 } @{ $options{rooms} } },
        endless   => !grep({ !$endless{$_} } @{ $options{rooms} }),
        without   => \%endless,
        ended     => {},
        old       => [],
        histories => [],
        way       => $options{ways}[rand @{ $options{ways} }],
    };
    $state->{histories} = [shuffle(_names($state))] if rand() < 0.5;
    return $self->_add($state, sub { $self->_ask($state) }, sub { $self->_hear_answer($state, @_) });
}

sub _names {
    my ($state) = @_;
    return $state->{rooms}{'*'} ? @{ $state->{every} } : sort keys %{ $state->{rooms} };
}

sub _is_done {
    my ($state) = @_;
    return 0 if $state->{endless} || @{ $state->{histories} };
    return !grep { !$state->{ended}{$_} && !$state->{without}{$_} } _names($state);
}

sub _has_several {
    my ($state) = @_;
    return $state->{rooms}{'*'} || keys %{ $state->{rooms} } > 1;
}

# ---------------------------------------------------------------- asking

sub _ask {
    my ($self, $state) = @_;
    delete @$state{qw(stream leave leave_at unread_at reads_again)};
    delete $state->{client}{piece} if $state->{client};
    $self->_change_mind($state) if defined $state->{cursor} && !@{ $state->{histories} };
    if (@{ $state->{histories} }) {
        $self->_go_to($state, 'nginx');
        @$state{qw(kind limit)} = ('join', 0);
        return Longroom::get_bytes("/rooms/$state->{histories}[0]/messages?limit=" . HISTORY_LIMIT);
    }
    push @{ $state->{histories} }, splice @{ $state->{later} };
    $self->_go_to($state, $state->{straight} ? 'pushd' : 'nginx');
    $state->{sent} = $state->{ids} && $state->{known} && rand() < 0.3 ? $state->{known} : $state->{cursor};
    return $state->{way} eq 'poll' ? $self->_ask_poll($state) : $self->_ask_stream($state);
}

# Histories come from another place than streams.
sub _go_to {
    my ($self, $state, $to) = @_;
    my $client = $state->{client};
    $self->_drop($client) if $client && ($state->{to} // $to) ne $to;
    $state->{to} = $to;
    return;
}

sub _open {
    my ($self, $client) = @_;
    my $state = $client->{state};
    local @$self{qw(peer family)} = @{ $self->{peers}{ $state->{to} } }{qw(peer family)};
    $self->SUPER::_open($client);
    # A stream that is not read must fill what lies between soon.
    setsockopt $client->{socket}, SOL_SOCKET, SO_RCVBUF, 4096 if $client->{socket} && $state->{unread_at};
    return;
}

# The order of the names does not matter, nor how a comma is written.
sub _path {
    my ($state, $resource) = @_;
    return "/rooms/" . join(rand() < 0.1 ? '%2C' : ',', shuffle(keys %{ $state->{rooms} })) . "/$resource";
}

sub _ask_poll {
    my ($self, $state) = @_;
    my $path = _path($state, 'poll');
    @$state{qw(kind limit)} = ('poll', 0);
    return Longroom::get_bytes("$path?timeout=0") if !defined $state->{cursor};
    my $timeout = $state->{limit} = (0, 1, 3, 8, 20)[rand 5];
    $state->{leave} = rand 2 if $state->{leaves} && rand() < 0.1;
    return Longroom::get_bytes("$path?after=$state->{sent}&timeout=$timeout");
}

# As a browser does: to the same URL again, with Last-Event-ID; or to a new one.
sub _ask_stream {
    my ($self, $state) = @_;
    @$state{qw(kind limit)} = ('stream', 0);
    $state->{stream} = { text => '', items => '', left => 0, size => 0 };
    my $last = '';
    if ($state->{url} && rand() < 0.7) {
        $last = "Last-Event-ID: $state->{sent}\r\n" if defined $state->{sent};
    }
    else {
        $state->{url} = _path($state, 'events') . (defined $state->{sent} ? "?after=$state->{sent}" : '');
    }
    $state->{leave_at} = time + rand 6 if $state->{leaves} && rand() < 0.4
        || @{ $state->{ways} } > 1 || @{ $state->{histories} };
    if ($state->{unread} && rand() < 0.3) {
        $state->{unread_at} = time + rand 2;
        $self->_drop($state->{client}) if $state->{client};
    }
    if ($state->{leaves} && rand() < 0.1) {
        $state->{client}{piece} = 1 + int rand 300;
        $state->{stream}{most} = 200 + rand 4000;
    }
    return "GET $state->{url} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n$last\r\n";
}

# What a user may do between two requests.
sub _change_mind {
    my ($self, $state) = @_;
    $state->{way} = $state->{ways}[rand @{ $state->{ways} }] if rand() < 0.5;
    return if time > $state->{until};
    if ($state->{back} && @{ $state->{old} } && rand() < 0.05) {
        $state->{cursor} = $state->{old}[rand @{ $state->{old} }];
        $self->_forget($state);
        $self->_note('B', _now(), $state->{name}, $state->{cursor});
    }
    my @others = grep { !$state->{rooms}{$_} } @{ $state->{changes} || [] };
    # One with an end is kept.
    my @mine = grep { !$state->{without}{$_} } sort keys %{ $state->{rooms} };
    return if !$state->{changes} || rand() > 0.1;
    if (@others && keys %{ $state->{rooms} } < ROOMS_MOST && rand() < 0.5) { $self->_take_in($state, $others[rand @others]) }
    elsif (@mine > 1)                                  { $self->_leave_out($state, $mine[rand @mine]) }
    return;
}

# From the old cursor on. The history is read before that or after; what comes twice is
# known by its id.
sub _take_in {
    my ($self, $state, $room) = @_;
    $state->{rooms}{$room} = 1;
    $self->_forget($state);
    push @{ $state->{ (qw(histories later))[rand 2] } }, $room;
    $self->{count}{'rooms taken in'}++;
    $self->_note('J', _now(), $state->{name}, $room, $state->{cursor});
    return;
}

sub _leave_out {
    my ($self, $state, $room) = @_;
    delete $state->{rooms}{$room};
    $self->_forget($state);
    $self->{count}{'rooms left'}++;
    $self->_note('L', _now(), $state->{name}, $room, $state->{cursor});
    return;
}

# The newest message that it has is no longer where it stands, and another URL is due.
sub _forget {
    my ($self, $state) = @_;
    delete @$state{qw(known url)};
    return;
}

# ---------------------------------------------------------------- answers

sub _hear_answer {
    my ($self, $state, $answer) = @_;
    $state->{rest} = $state->{retry} / 1000 + rand 0.05
        if $state->{stream} && defined $state->{retry} && ($answer->{error} // '') ne 'left';
    return !_is_done($state) if $answer->{stream};
    return 1 if $answer->{status} == 0 || $answer->{status} >= 500;
    my ($new) = $answer->{content} =~ /"cursor"\s*:\s*"([^"]+)"/;
    if ($answer->{status} != 200 || !$new) {
        $self->_note_refusal($state, $answer);
        $state->{rest} = 1;
        return 1;
    }
    if ($state->{kind} eq 'join') { $self->_take_history($state, $answer->{content}, $new) }
    else                          { $self->_take_page($state, $answer->{content}, $new) }
    $state->{rest} = rand $state->{rests} if $state->{rests} && rand() < 0.2;
    return !_is_done($state);
}

# Only the first of several histories gives the cursor: it is behind the others.
sub _take_history {
    my ($self, $state, $page, $cursor) = @_;
    my $room = shift @{ $state->{histories} };
    my ($items, $newest, $ended) = $self->_read_items($page);
    $self->_move($state, $cursor) if !defined $state->{cursor};
    $self->_note('H', _now(), $state->{name}, $room, $state->{cursor}, $newest || 0);
    # Its end does not come again.
    $state->{ended}{$room} = 1 if $ended && $newest <= TortureCheck::id_of($state->{cursor});
    return;
}

sub _take_page {
    my ($self, $state, $page, $cursor) = @_;
    if (_has_several($state)) {
        my $outside = $page =~ s/"messages":\[.*\]//sr;
        $self->_note('X', _now(), $state->{name}, $1) if $outside =~ /"(room_id|rooms|earliest|forbidden)"/;
    }
    $self->_note('X', _now(), $state->{name}, 'gap') if $page =~ /"gap"\s*:\s*true/;
    $self->_take_reset($state, $cursor) if $page =~ /"reset"\s*:\s*true/;
    my ($items) = $self->_read_items($page, $state);
    my ($count) = $page =~ /"count":([0-9]+)/;
    $self->_note('X', _now(), $state->{name}, 'unreadable') if $count != ($items =~ tr/,//);
    # What came while it joined stands before its cursor.
    $items = '' if !defined $state->{cursor};
    $self->_move($state, $cursor);
    $self->_note_items($state, $state->{asked}, $items);
    return;
}

# It has waited for them since then.
sub _note_items {
    my ($self, $state, $since, $items) = @_;
    $self->_note('D', _now(), $state->{name}, sprintf('%.3f', $since), $items) if length $items;
    return;
}

# A reset of several rooms has no messages: they are in the histories. An id would not
# say that it is from the replaced log.
sub _take_reset {
    my ($self, $state, $cursor) = @_;
    $self->_note('X', _now(), $state->{name}, 'reset', $state->{sent} // '-', $cursor);
    $self->_forget($state);
    $state->{histories} = [shuffle(_names($state))] if _has_several($state);
    return;
}

# Its position. The first one joins its rooms.
sub _move {
    my ($self, $state, $cursor) = @_;
    if (!defined $state->{cursor}) {
        $self->_note('J', _now(), $state->{name}, $_, $cursor) for sort keys %{ $state->{rooms} };
    }
    elsif ($state->{back} && rand() < 0.2) {
        push @{ $state->{old} }, $state->{cursor};
        shift @{ $state->{old} } if @{ $state->{old} } > OLD_CURSORS;
    }
    $state->{cursor} = $cursor;
    return;
}

# The messages of a page or of an event, as the items of a line. With $state, they are
# news of this client. By pattern, because JSON::PP would take longer than the programs
# do. In valid JSON a quote inside a string follows a backslash.
sub _read_items {
    my ($self, $json, $state) = @_;
    my ($items, $newest, $ended) = ('', undef, 0);
    while ($json =~ /\{"type":"chat_message","id":([0-9]+|null),"room_id":"([^"]*)","user_id":"[^"]*",
            "username":"((?:[^"\\]|\\.)*)","sender_type":"user","content":"([^"\\ ]*)((?:[^"\\]++|\\.)*+)"
            (?:,"data":\{"mark":"([^"]*)"\})?/xg) {
        my ($id, $room, $attempt, $mark, $size, $data) = ($1, $2, $3, $4, length "$4$5", $6 // '');
        $mark = 'damaged' if $data ne ($mark =~ /-[0-9]+d$/ ? $mark : '');
        # Others send too.
        for ($attempt, $mark) { $_ = '-' if !/\A[0-9A-Za-z-]{1,40}\z/ }
        $items .= "$id:$attempt:$mark:$size:$room,";
        next if $id eq 'null';
        $newest = $id;
        next if $mark !~ /^end-/;
        $ended = 1;
        $state->{ended}{$room} = 1 if $state;
    }
    if ($state) {
        $self->{count}{'messages delivered'} += $items =~ tr/,//;
        $state->{known} = $newest if $newest;
    }
    return ($items, $newest, $ended);
}

sub _now { return TortureClients::_now() }

# ---------------------------------------------------------------- streams

# Clients that leave their stream, or do not read it for a while.
sub _look_after {
    my ($self, $client) = @_;
    my $state = $client->{state};
    if ($client->{socket} && $state->{stream} && $state->{stream}{since}) {
        if ($state->{leave_at} && time > $state->{leave_at}) { $self->_leave_stream($client) }
        else                                                 { $self->_read_or_not($client, $state) }
    }
    return $self->SUPER::_look_after($client);
}

sub _read_or_not {
    my ($self, $client, $state) = @_;
    my $now = time;
    if ($state->{unread_at} && $now > $state->{unread_at}) {
        $self->_watch($client, 'read', 0);
        $self->{count}{'streams unread'}++;
        delete $state->{unread_at};
        $state->{asked} = $now + 1 + rand 5;
        $state->{reads_again} = 1;
    }
    elsif ($state->{reads_again} && $now > $state->{asked}) {
        delete $state->{reads_again};
        $state->{stream}{since} = $now;
        # What has gathered would take many seconds through a small buffer.
        setsockopt $client->{socket}, SOL_SOCKET, SO_RCVBUF, 262_144;
        $self->_watch($client, 'read', 1);
    }
    return;
}

sub _leave_stream {
    my ($self, $client) = @_;
    my $state = $client->{state};
    @$state{qw(kind limit)} = ('stream', SILENCE_SECONDS);
    $self->_fail($client, 'left');
    return;
}

# What has come so far of a stream: its whole events are taken out.
sub _take {
    my ($self, $client, $ended) = @_;
    my $state = $client->{state};
    my $stream = $state->{stream};
    return $self->SUPER::_take($client, $ended) if !$stream || !_is_open($client, $stream);
    _unchunk($client, $stream);
    $self->_hear_piece($state);
    while ((my $end = index $stream->{text}, "\n\n") >= 0) {
        $self->_take_event($state, substr $stream->{text}, 0, $end + 2, '');
    }
    $self->_flush($state);
    if ($ended || $stream->{over} || _is_done($state)) { $self->_end_stream($client) }
    elsif ($stream->{most} && $stream->{size} > $stream->{most} && length $stream->{text}) {
        $self->{count}{'streams left in an event'}++;
        $self->_leave_stream($client);
    }
    return;
}

# True if a stream has begun; any other answer is taken as that of a poll.
sub _is_open {
    my ($client, $stream) = @_;
    return 1 if $stream->{since};
    my $end = index $client->{in}, "\r\n\r\n";
    return 0 if $end < 0 || substr($client->{in}, 0, $end) !~ m{\AHTTP/1\.[01] 200 .*^Content-Type:\ ?text/event-stream}msi;
    my $head = substr $client->{in}, 0, $end + 4, '';
    $stream->{chunked} = $head =~ /^Transfer-Encoding: ?chunked/mi;
    # As nginx answers when longroom-pushd is down.
    ($stream->{length}) = $head =~ /^Content-Length: ?([0-9]+)/mi;
    $stream->{since} = time;
    return 1;
}

sub _unchunk {
    my ($client, $stream) = @_;
    my $in = \$client->{in};
    my $before = length $stream->{text};
    $stream->{text} .= substr $$in, 0, length $$in, '' if !$stream->{chunked};
    while ($stream->{chunked} && length $$in) {
        if ($stream->{left}) {
            my $part = substr $$in, 0, $stream->{left}, '';
            $stream->{left} -= length $part;
            $stream->{text} .= $part;
            next;
        }
        # The line behind a chunk, and the size of the next.
        $$in =~ s/\A(?:\r\n)?([0-9A-Fa-f]+)[^\r\n]*\r\n// or last;
        $stream->{left} = hex $1;
        $stream->{over} = 1 if $stream->{left} == 0;
    }
    $stream->{size} += length($stream->{text}) - $before;
    $stream->{over} ||= defined $stream->{length} && $stream->{size} >= $stream->{length};
    return;
}

# The first piece must come at once, the next before the silence is too long.
sub _hear_piece {
    my ($self, $state) = @_;
    $self->_note_slow($state, { status => 200 }) if time > $state->{asked};
    @$state{qw(kind limit)} = ('silence', SILENCE_SECONDS) if $state->{kind} eq 'stream';
    $state->{asked} = time;
    return;
}

sub _end_stream {
    my ($self, $client) = @_;
    my $state = $client->{state};
    my $stream = $state->{stream};
    $self->{count}{'stream without an event'}++ if !$stream->{events};
    @$state{qw(kind limit)} = ('stream', SILENCE_SECONDS);
    $self->_drop($client);
    $self->_advance($client, { status => 200, stream => 1, content => '' });
    return;
}

# One event, or a comment.
sub _take_event {
    my ($self, $state, $block) = @_;
    my (%field, @data);
    for my $line (split /\r?\n/, $block) {
        next if $line =~ /\A:/ || $line !~ /\A([^:]*):? ?(.*)\z/s;
        if ($1 eq 'data') { push @data, $2 }
        else              { $field{$1} = $2 }
    }
    $state->{retry} = $field{retry} if ($field{retry} // '') =~ /\A[0-9]+\z/;
    return if !@data;
    $state->{stream}{events}++;
    my $event = $field{event} // '';
    my $take = $self->can('_take_' . ($event || 'message') . '_event');
    return $self->_complain($state, "event-$event") if !$take || $event eq 'message';
    # Where it ends before it has a place, there is none to come back to.
    return $self->_complain($state, "event-$event-without-id")
        if !length($field{id} // '') && ($event !~ /\A(?:problem|end)\z/ || $state->{stream}{ready});
    $self->$take($state, join("\n", @data), $field{id});
    return;
}

sub _complain {
    my ($self, $state, $what) = @_;
    $self->_flush($state);
    $self->_note('X', _now(), $state->{name}, substr $what =~ s/\s+/_/gr, 0, 300);
    return;
}

# The messages of one piece are one line.
sub _flush {
    my ($self, $state) = @_;
    my $stream = $state->{stream};
    $self->_note_items($state, $stream->{since}, $stream->{items});
    $stream->{items} = '';
    return;
}

sub _take_ready_event {
    my ($self, $state, $data, $id) = @_;
    my $ready = eval { JSON::PP::decode_json($data) } || {};
    my ($asked, $got) = map { join ',', sort @$_ } [keys %{ $state->{rooms} }], $ready->{rooms} || [];
    $self->_complain($state, "ready-with-rooms-$got-not-$asked") if $asked ne $got;
    $self->_complain($state, 'ready-with-another-cursor') if ($ready->{cursor} // '') ne $id;
    $self->_complain($state, 'forbidden') if $ready->{forbidden};
    $self->_complain($state, 'gap') if $ready->{gap_rooms};
    $self->_complain($state, 'ready-twice') if $state->{stream}{ready}++;
    $self->_move($state, $id);
    return;
}

sub _take_message_event {
    my ($self, $state, $data, $id) = @_;
    $self->_complain($state, 'message-before-ready') if !$state->{stream}{ready};
    my ($items) = $self->_read_items($data, $state);
    $self->_complain($state, 'unreadable') if !length $items;
    $self->_move($state, $id);
    $state->{stream}{items} .= $items;
    return;
}

sub _take_cursor_event {
    my ($self, $state, $data, $id) = @_;
    $self->{count}{'cursor events'}++;
    $self->_move($state, $id);
    return;
}

sub _take_gap_event {
    my ($self, $state, $data, $id) = @_;
    $self->_complain($state, 'gap');
    $self->_move($state, $id);
    return;
}

sub _take_reset_event {
    my ($self, $state, $data, $id) = @_;
    $self->_flush($state);
    $self->_take_reset($state, $id);
    my ($items) = $self->_read_items($data, $state);
    $self->_move($state, $id);
    $state->{stream}{items} .= $items;
    # The histories are read on this connection.
    $state->{leave_at} = 1 if _has_several($state);
    return;
}

# Behind it nothing comes but the end of the connection.
sub _take_end_event {
    my ($self, $state, $data, $id) = @_;
    my ($reason) = $data =~ /"reason":"(life|shutdown)"/;
    return $self->_complain($state, "end-$data") if !$reason;
    $self->{count}{"streams ended by $reason"}++;
    $self->_move($state, $id) if defined $id;
    @$state{qw(kind limit)} = ('stream_end', 0);
    return;
}

sub _take_problem_event {
    my ($self, $state, $data, $id) = @_;
    my ($status) = $data =~ /"status":(429|503)\b/;
    return $self->_complain($state, "problem-$data") if !$status;
    $self->{count}{"stream problem $status"}++;
    $self->_move($state, $id) if defined $id;
    @$state{qw(kind limit)} = ('stream_end', 0);
    return;
}

1;
