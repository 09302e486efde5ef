package TortureFollowed;

# The verdict on one follower of the torture (TortureFollowers.pm): of each of its rooms
# it must have got every saved message from where it joined to the end, or to where it
# left the room, once, in order and without delay; and the ids must grow over all of its
# rooms. It reads the follower's lines, which TortureClients.pm lists, and reports to
# TortureCheck.pm, which has the logs.
#
# Its place in a room: {room; log, its number; at, the index in the room's ids there of
# the next message}. If at is undef, any message may be the next.

use strict;
use warnings;

use Time::HiRes qw(time);

# Nothing was down, and the bus may have lost it: a second, on a busy machine.
use constant LATE_SECONDS => 8;

my %TAKE = (J => \&_join, L => \&_leave, B => \&_go_back, H => \&_read_history, D => \&_get, X => \&_reset);

# Lines are [letter, time, words after the name].
sub judge {
    my ($class, $check, $name, $lines) = @_;
    my $self = bless {
        check   => $check,
        logs    => $check->{logs},
        name    => $name,
        place   => {},
        log     => 0,     # the newest that it has seen
        newest  => 0,     # id, over all rooms
        saved   => {},    # attempts that it got as saved, and when
        unsaved => {},    # ... as unsaved
        since   => {},    # the same, since it went back
    }, $class;
    for my $line (@$lines) {
        my ($letter, $time, @words) = @$line;
        $TAKE{$letter}->($self, $time, @words);
    }
    for (sort keys %{ $self->{unsaved} }) {
        $self->_breach('saved and unsaved from one attempt', $self->{saved}{$_}, $_) if $self->{saved}{$_};
    }
    $self->_judge_end($_) for map { $self->{place}{$_} } sort keys %{ $self->{place} };
    return;
}

sub _breach {
    my ($self, $kind, $time, $text, $place) = @_;
    $self->{check}->_breach($kind, $time, join(' in ', $self->{name}, $place ? $place->{room} : ()) . ": $text");
    return;
}

sub _count { $_[0]{check}{count}{ $_[1] }++; return }

# ---------------------------------------------------------------- rooms

sub _join {
    my ($self, $time, $room, $cursor) = @_;
    my %rooms = ($room => 1);
    if ($room eq '*') {
        %rooms = map { %{ $_->{room} } } @{ $self->{logs} };
        $self->{everywhere} = 1;
    }
    for my $name (keys %rooms) {
        my $place = $self->{place}{$name} = { room => $name };
        $self->_put($place, $cursor);
        $self->_judge_joining($place, $time);
    }
    $self->{newest} ||= $self->_id_of($cursor);
    return;
}

sub _id_of { return TortureCheck::id_of($_[1]) }

sub _put {
    my ($self, $place, $cursor) = @_;
    $place->{log} = $self->{log} = $self->{check}->log_of($cursor);
    $place->{at} = _index_after($self->_ids($place), $self->_id_of($cursor));
    return;
}

# A message that was sent after it had joined is not before its cursor.
sub _judge_joining {
    my ($self, $place, $time) = @_;
    my ($ids, $saved) = ($self->_ids($place), $self->{logs}[ $place->{log} ]{saved});
    my $last = $place->{at} - 1;
    for my $id (@$ids[($last > 20 ? $last - 20 : 0) .. $last]) {
        my $message = $self->{check}{sent}{ (split /:/, $saved->{$id}[1])[1] } or next;
        $self->_breach('lost after joining', $time, "id $id was first sent at $message->{asked}, after it had joined at $time", $place)
            if $message->{asked} > $time + 0.001;
    }
    return;
}

sub _leave {
    my ($self, $time, $room, $cursor) = @_;
    my $place = delete $self->{place}{$room};
    my $log = $self->{check}->log_of($cursor);
    while ($place->{log} < $log) { $self->_goes_on($place) or last }
    return if $place->{log} != $log || !defined $place->{at};
    my $ids = $self->_ids($place);
    my $due = _index_after($ids, $self->_id_of($cursor)) - $place->{at};
    $self->_breach('lost before leaving', $time, "$due messages from id $ids->[$place->{at}] on never came, the cursor is $cursor", $place)
        if $due > 0;
    return;
}

sub _go_back {
    my ($self, $time, $cursor) = @_;
    $self->_count('went back');
    $self->_put($_, $cursor) for values %{ $self->{place} };
    $self->{newest} = $self->_id_of($cursor);
    $self->{since} = {};
    return;
}

# History and following must meet. (With logs replaced meanwhile, it is told a reset.)
sub _read_history {
    my ($self, $time, $room, $cursor, $newest) = @_;
    my $place = $self->{place}{$room} or return;
    return if @{ $self->{logs} } > 1;
    my $ids = $self->_ids($place);
    my $next = $ids->[_index_after($ids, $newest)] or return;
    $self->_breach('history is behind a cursor', $time, "id $next is neither in history nor after $cursor", $place)
        if $next <= $self->_id_of($cursor);
    return;
}

sub _judge_end {
    my ($self, $place) = @_;
    1 while $self->_goes_on($place);
    my $ids = $self->_ids($place);
    return if !@$ids;
    my $at = $place->{at} // 0;
    $self->_breach('lost at the end', time, @$ids - $at . " messages from id $ids->[$at] on never came", $place) if $at < @$ids;
    $self->_breach('lost with a log', time, "its log was replaced after id $ids->[$at - 1], and nobody told it", $place)
        if $place->{log} < $#{ $self->{logs} };
    return;
}

# ---------------------------------------------------------------- messages

sub _get {
    my ($self, $time, $since, $items) = @_;
    my $late = $time - $since > LATE_SECONDS;
    for my $item (split /,/, $items) {
        my ($id, $attempt, $mark, $size, $room) = split /:/, $item;
        my $place = $self->_place_in($room);
        if (!$place) {
            $self->_breach('in a wrong room', $time, "id $id of $room");
        }
        elsif ($place->{foreign}) {
            $self->_keep_order($time, $id, $room) if $id ne 'null';
        }
        elsif ($id eq 'null') {
            $self->_get_unsaved($time, $mark, $attempt);
        }
        else {
            $self->{saved}{"$mark $attempt"} = $time;
            $self->_judge_delay($time, $since, $mark) if $late;
            $self->_count('saved delivered');
            $self->_keep_order($time, $id, $room) if $self->_get_saved($place, $time, $id, "$attempt:$mark:$size");
        }
    }
    return;
}

# Who follows all rooms also gets what others send.
sub _place_in {
    my ($self, $room) = @_;
    my $place = $self->{place}{$room};
    return $place if $place || !$self->{everywhere};
    my $foreign = $self->{check}{foreign};
    return { room => $room, log => $self->{log}, at => 0, foreign => $foreign ? scalar $room =~ $foreign : 0 };
}

# A message that a stream or a poll does not notice comes when the client asks again.
sub _judge_delay {
    my ($self, $time, $since, $mark) = @_;
    my $message = $self->{check}{sent}{$mark} or return;
    my $from = $message->{at} > $since ? $message->{at} : $since;
    return if $time - $from < LATE_SECONDS || $time - $from < LATE_SECONDS + $self->{check}->excused($from, $time);
    $self->_breach('late', $time, sprintf '%s in %s came %.1f s after it could', $mark, $message->{room}, $time - $from);
    return;
}

sub _get_unsaved {
    my ($self, $time, $mark, $attempt) = @_;
    $self->_count('unsaved delivered');
    $self->{unsaved}{"$mark $attempt"} = 1;
    my $since = $self->{since};
    $self->_breach('unsaved twice', $time, "$mark, attempt $attempt") if $since->{"$mark $attempt"}++;
    $self->_count('unsaved delivered again from a repeat') if $since->{$mark}++;
    return;
}

sub _keep_order {
    my ($self, $time, $id, $room) = @_;
    $self->_breach('out of order across rooms', $time, "id $id of $room after id $self->{newest}") if $id <= $self->{newest};
    $self->{newest} = $id if $id > $self->{newest};
    return;
}

# True if it was the next one of its room, or a later one.
sub _get_saved {
    my ($self, $place, $time, $id, $text) = @_;
    $place->{at} //= _index_after($self->_ids($place), $id - 1);
    until (($self->_ids($place)->[ $place->{at} ] // 0) == $id && $self->_has($place->{log}, $id, $text)) {
        $self->_goes_on($place) or last;
    }
    my ($ids, $at) = ($self->_ids($place), $place->{at});
    if (($ids->[$at] // 0) == $id) {
        $place->{at}++;
        my $saved = $self->{logs}[ $place->{log} ]{saved}{$id}[1];
        $self->_breach('delivered otherwise than saved', $time, "id $id is $text, saved as $saved", $place) if $saved ne $text;
        return 1;
    }
    my $index = _index_after($ids, $id - 1);
    if (($ids->[$index] // 0) != $id) {
        $self->_breach('delivered, not saved', $time, "id $id, $text", $place);
        return 0;
    }
    if ($index > $at) {
        $self->_breach('lost', $time, $index - $at . " messages, ids $ids->[$at] to $ids->[$index - 1], are missing before id $id", $place);
        $place->{at} = $index + 1;
        return 1;
    }
    $self->_breach('doubled or out of order', $time, "id $id, $text, after id " . ($at ? $ids->[$at - 1] : 0), $place);
    return 0;
}

# ---------------------------------------------------------------- logs

sub _ids {
    my ($self, $place) = @_;
    return $self->{logs}[ $place->{log} ]{room}{ $place->{room} } || [];
}

sub _has {
    my ($self, $log, $id, $text) = @_;
    my $saved = $self->{logs}[$log]{saved}{$id};
    return $saved && $saved->[1] eq $text;
}

# A follower that is within the backup continues in the next log, in one room after the
# other, and is not told.
sub _goes_on {
    my ($self, $place) = @_;
    my $next = $self->{logs}[ $place->{log} + 1 ] or return 0;
    if ($place->{log} == $self->{log}) {
        return 0 if $self->{newest} > $next->{begins};
        $self->{log}++;
    }
    $place->{log}++;
    return 1;
}

# Its cursor must have been ahead of a backup that was restored meanwhile.
sub _reset {
    my ($self, $time, undef, $asked, $new) = @_;
    my ($from, $to) = map { $self->{check}->log_of($_) } $asked, $new;
    $self->_breach('told a reset', $time, "with the cursor $asked")
        if !grep { $self->_id_of($asked) > $_->{begins} } @{ $self->{logs} }[$from + 1 .. $to];
    my @places = values %{ $self->{place} };
    $self->_put($_, $new) for @places;
    $self->{newest} = $self->_id_of($new);
    return if @places != 1 || $self->{everywhere};
    # The page of one room has its newest messages, and may begin anywhere.
    $self->{newest} = 0;
    $places[0]{at} = undef if $places[0]{at};
    return;
}

# The index of the first id above this one.
sub _index_after {
    my ($ids, $id) = @_;
    my ($low, $high) = (0, scalar @$ids);
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        if ($ids->[$middle] > $id) { $high = $middle }
        else                       { $low = $middle + 1 }
    }
    return $low;
}

1;
