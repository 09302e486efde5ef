package TortureCheck;

# The verdict of the torture: reads the records of writers and pollers
# (TortureClients.pm), the database, the history over HTTP and the times when something
# was down (Chaos.pm), and reports every breach of PROTOCOL's promises.

use strict;
use warnings;

use constant {
    # Beyond its timeout and the time for which something was down, a request may take this
    # long: a start under a sanitizer, the log check a second later, store.busy_timeout, a
    # busy machine.
    GRACE_SECONDS => 8,
    TOLD_OF_EACH  => 5,
};

sub new {
    my ($class, %options) = @_;
    return bless { %options, breach => {}, evidence => [], count => {}, restored => $options{restored} || [] }, $class;
}

sub breaches { return $_[0]{breach} }
sub evidence { return @{ $_[0]{evidence} } }
sub counts   { return $_[0]{count} }

sub _breach {
    my ($self, $kind, $at, $text) = @_;
    push @{ $self->{evidence} }, { kind => $kind, at => $at, text => $text }
        if $self->{breach}{$kind}++ < TOLD_OF_EACH;
    return;
}

sub judge {
    my ($self, @files) = @_;
    $self->_read_database;
    $self->_compare_history;
    my %pollers;
    for my $file (@files) {
        open my $in, '<', $file or die "can't read $file: $!\n";
        while (my $line = <$in>) {
            chomp $line;
            my ($letter, $at, @words) = split ' ', $line;
            if    ($letter eq 'W') { $self->_take_answer($at, @words) }
            elsif ($letter eq 'J') { $pollers{ $words[0] } = { room => $words[1], asked => $words[2], joined => $at, last => $words[3], file => $file } }
            elsif ($letter eq 'X' && $words[1] eq 'reset') { $self->{count}{resets}++ }
            elsif ($letter eq 'X') { $self->_breach($words[1] =~ /^room/ ? 'in a wrong room' : "told a $words[1]", $at, "poller $words[0]: $words[1]") }
            elsif ($letter eq 'S') { $self->_judge_slow($at, @words) }
            elsif ($letter eq 'F') { $self->_breach('refused', $at, "@words") }
            elsif ($letter eq 'C') {
                if ($at =~ /slowest/) { $self->{count}{$at} = $words[0] if $words[0] > ($self->{count}{$at} || 0) }
                else                  { $self->{count}{$at} += $words[0] }
            }
        }
    }
    $self->_judge_answers;
    my %by_file;
    $by_file{ $pollers{$_}{file} }{$_} = $pollers{$_} for keys %pollers;
    for my $file (sort keys %by_file) {
        $self->_read_deliveries($file, $by_file{$file});
        $self->_judge_poller($_, $by_file{$file}{$_}) for sort keys %{ $by_file{$file} };
    }
    $self->{count}{pollers} = keys %pollers;
    $self->_breach('never joined', time, "$self->{expected_pollers} pollers, joined " . keys %pollers)
        if keys %pollers != $self->{expected_pollers};
    return !%{ $self->{breach} };
}

# No client is left: longroom-pushd must have no waiter.
sub judge_waiting {
    my ($self) = @_;
    my $l = $self->{longroom};
    my $waiting;
    $l->eventually(GRACE_SECONDS, sub {
        # If it is down, other checks report that.
        my $answer = eval { $l->connect('pushd')->ask(Longroom::get_bytes('/metrics')) } or return 0;
        ($waiting) = $answer->{content} =~ /^longroom_pushd_connections\{state="waiting"\} ([0-9]+)$/m;
        return defined $waiting && $waiting == 0;
    }) or $self->_breach('a waiter is left', time, sprintf '%s polls wait, %d s after all clients have gone', $waiting // 'no', GRACE_SECONDS);
    return;
}

# ---------------------------------------------------------------- what is saved

# If backups were restored there was more than one log, each like the one before up to
# the highest id of the backup (begins), and different from then on (at):
#     {logs}[n]{saved}{id} = [room, "attempt:mark:size"], {room}{name} = [ids], {mark}{mark} = id
# The last of them is the current one.
sub _read_database {
    my ($self) = @_;
    my @restored = @{ $self->{restored} };
    my @files = ((map { $_->{lost} } @restored), $self->{longroom}->database);
    $self->{logs} = [map { $self->_read_log($_) } @files];
    @{ $self->{logs}[$_ + 1] }{qw(begins at)} = @{ $restored[$_] }{qw(last_id at)} for 0 .. $#restored;
    @{$self}{qw(saved room mark)} = @{ $self->{logs}[-1] }{qw(saved room mark)};
    $self->{count}{saved} = keys %{ $self->{saved} };
    my ($sound) = $self->{longroom}->sql('PRAGMA integrity_check;');
    $self->_breach('database damaged', time, $sound) if $sound ne 'ok';
    return;
}

sub _read_log {
    my ($self, $file) = @_;
    my $foreign = $self->{foreign};
    my $read = Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file, '.timeout 10000',
        'SELECT m.id, r.name, m.client_id, m.sender_name, substr(m.content, 1, 40), length(m.content)'
        . ' FROM messages AS m LEFT JOIN rooms AS r USING (room_id) ORDER BY m.id'], seconds => 60);
    die "sqlite3: $read->{stderr}\n" if $read->{status} // 1;
    my %log;
    for my $row (split /\n/, $read->{stdout}) {
        my ($id, $room, $client_id, $attempt, $content, $size) = split /\|/, $row;
        next if $foreign && $room =~ /$foreign/;
        my ($mark) = split / /, $content;
        $self->_breach('damaged', time, "id $id has client_id $client_id and content $content") if $mark ne $client_id;
        $self->_breach('saved twice', time, "$mark is saved as id $log{mark}{$mark} and as id $id") if $log{mark}{$mark};
        $log{saved}{$id} = [$room, "$attempt:$mark:$size"];
        $log{mark}{$mark} = $id;
        push @{ $log{room}{$room} }, $id;
    }
    return \%log;
}

sub _compare_history {
    my ($self) = @_;
    for my $room (sort keys %{ $self->{room} }) {
        my @ids = @{ $self->{room}{$room} };
        my ($after, $at, $more) = (0, 0, 1);
        while ($more) {
            my $page = $self->{longroom}->history($room, after => $after, limit => 1000);
            if ($page->{status} != 200) {
                $self->_breach('history fails', time, "$room after $after: $page->{status} $page->{content}");
                last;
            }
            for my $message (@{ $page->{json}{messages} }) {
                my $expected = $ids[$at++] // 'nothing';
                my ($mark) = split / /, $message->{content};
                my $got = "$message->{username}:$mark:" . length $message->{content};
                next if $message->{id} eq $expected && $got eq $self->{saved}{$expected}[1];
                $self->_breach('history differs', time, "$room: history has id $message->{id} $got where the database has $expected");
                return;
            }
            ($after, $more) = ($page->{json}{cursor}, $page->{json}{more});
        }
        $self->_breach('history differs', time, "$room: history has $at messages, the database " . @ids) if $at != @ids;
    }
    return;
}

# ---------------------------------------------------------------- writers

sub _take_answer {
    my ($self, $at, $writer, $room, $mark, $attempt, $status, $id, $asked) = @_;
    my $message = $self->{sent}{$mark} ||= { room => $room, asked => $asked, first => $attempt };
    @$message{qw(at status id attempts)} = ($at, $status, $id, $attempt);
    return if $status != 200 && $status != 201;
    $self->_breach('200 for a first attempt', $at, "$mark: id $id") if $status == 200 && $attempt == 1;
    my $saved = $self->{saved}{$id};
    return if $self->_went_with_a_log($id, $room, $mark);
    $self->_breach('answered but not saved', $at, "$mark in $room was answered $status with id $id, which is "
        . ($saved ? "@$saved" : 'not there') . ($self->{mark}{$mark} ? "; $mark is id $self->{mark}{$mark}" : ''))
        if !_is_saved_as($saved, $room, $mark);
    $self->{needed}{$room}{$mark} = $asked if $saved;
    return;
}

sub _is_saved_as {
    my ($saved, $room, $mark) = @_;
    return $saved && $saved->[0] eq $room && (split /:/, $saved->[1])[1] eq $mark;
}

# True if a log that was replaced by a backup has it, and the backup is from before.
sub _went_with_a_log {
    my ($self, $id, $room, $mark) = @_;
    my @logs = @{ $self->{logs} };
    return 0 if _is_saved_as($logs[-1]{saved}{$id}, $room, $mark);
    for my $n (0 .. $#logs - 1) {
        next if $id <= $logs[$n + 1]{begins} || !_is_saved_as($logs[$n]{saved}{$id}, $room, $mark);
        $self->{count}{'gone with a log that was replaced'}++;
        return 1;
    }
    return 0;
}

sub _judge_answers {
    my ($self) = @_;
    for my $mark (keys %{ $self->{sent} }) {
        my $message = $self->{sent}{$mark};
        $self->_breach('never answered', $message->{at}, "$mark in $message->{room}: $message->{attempts} attempts, the last $message->{status}")
            if $message->{status} !~ /^20[012]$/;
        next if $message->{status} != 202 || !$self->{mark}{$mark};
        # A repeat cannot know of the first attempt while the log cannot be read.
        if ($message->{attempts} > 1) { $self->{count}{'unsaved by the last answer, saved by an earlier attempt'}++ }
        else { $self->_breach('202 for what is saved', $message->{at}, "$mark is id $self->{mark}{$mark}") }
    }
    # A message that a writer has abandoned may be in no file; but only writers write.
    for my $mark (keys %{ $self->{mark} }) {
        $self->_breach('never sent', time, "$mark, id $self->{mark}{$mark}") if !$self->{sent}{$mark};
    }
    $self->{count}{sent} = keys %{ $self->{sent} };
    return;
}

# Something was down for part of the request's time, which does not count.
sub _judge_slow {
    my ($self, $at, $who, $what, $limit, $asked, $status) = @_;
    $self->{count}{"slow ${what}s"}++;
    my ($excused, $covered) = (0, $asked);
    for my $outage (@{ $self->{outages} }) {
        my ($from, $to) = @$outage;
        $from = $covered if $from < $covered;
        $to = $at if $to > $at;
        next if $to <= $from;
        $excused += $to - $from;
        $covered = $to;
    }
    my $took = $at - $asked;
    return if $took < $limit + $excused + GRACE_SECONDS;
    $self->_breach('hung', $at, sprintf '%s: a %s with a timeout of %d s, asked at %.3f, took %.1f s until %s; things were away for %.1f s of it',
        $who, $what, $limit, $asked, $took, $status || 'it was given up', $excused);
    return;
}

# ---------------------------------------------------------------- pollers

sub _read_deliveries {
    my ($self, $file, $pollers) = @_;
    open my $in, '<', $file or die "can't read $file: $!\n";
    while (my $line = <$in>) {
        push @{ $pollers->{$2}{got} }, { at => $1, items => $3 } if $line =~ /^D (\S+) (\S+) (\S+)/;
        push @{ $pollers->{$2}{got} }, { at => $1, reset => [map { _id_of($_) } $3, $4] } if $line =~ /^X (\S+) (\S+) reset (\S+) (\S+)/;
    }
    return;
}

# The id in a cursor. A client must not look inside, but this check may.
sub _id_of {
    my ($cursor) = @_;
    return $cursor =~ /^(?:1\.[0-9a-f]+\.)?([0-9]+)/ ? $1 : 0;
}

# A poller's position: {log, its number; at, the index in its room's ids there of the
# next message; undef: any message}.
sub _judge_poller {
    my ($self, $name, $poller) = @_;
    my $stand = { who => "poller $name in $poller->{room}", room => $poller->{room}, log => $self->_log_at($poller->{joined}) };
    # By history: all after the newest that it knew. By a poll: all after some point, which
    # is not after the first message sent since.
    my $by_history = $poller->{last} ne '-';
    if ($by_history) {
        $stand->{log}-- while $stand->{log} && $poller->{last} && !$self->{logs}[ $stand->{log} ]{saved}{ $poller->{last} };
        $stand->{at} = _index_after($self->_ids($stand), $poller->{last});
    }
    my ($first, %unsaved, %saved);
    for my $page (@{ delete $poller->{got} || [] }) {
        my $time = $page->{at};
        if ($page->{reset}) {
            $first //= $self->_before($stand);
            $self->_take_reset($stand, $time, @{ $page->{reset} });
            next;
        }
        for my $item (split /,/, $page->{items}) {
            my ($id, $attempt, $mark, $size) = split /:/, $item;
            if ($id eq 'null') {
                $self->{count}{'unsaved delivered'}++;
                $self->_breach('unsaved twice', $time, "$stand->{who}: $mark, attempt $attempt") if $unsaved{"$mark $attempt"}++;
                $self->{count}{"unsaved delivered again from a repeat"}++ if $unsaved{$mark}++;
                next;
            }
            $self->{count}{'saved delivered'}++;
            $saved{"$mark $attempt"} = $time;
            $self->_begin($stand, $id, "$attempt:$mark:$size") if !defined $stand->{at};
            $first //= $self->_before($stand);
            $self->_take_item($stand, $time, $id, "$attempt:$mark:$size");
        }
    }
    for (grep {/ /} keys %unsaved) {
        $self->_breach('saved and unsaved from one attempt', $saved{$_}, "$stand->{who}: $_") if $saved{$_};
    }
    1 while $self->_goes_on($stand);
    my $ids = $self->_ids($stand);
    return if !@$ids;
    my $at = $stand->{at} // 0;
    $self->_breach('lost at the end', time, "$stand->{who}: " . (@$ids - $at) . " messages from id $ids->[$at] on never came") if $at < @$ids;
    $self->_breach('lost with a log', time, "$stand->{who}: its log was replaced after id $ids->[$at - 1], and nobody told it")
        if $stand->{log} < $#{ $self->{logs} };
    for my $missed ($by_history ? () : @{ $first // [] }) {
        my ($id, $mark) = @$missed;
        my $message = $self->{sent}{$mark} or next;
        $self->_breach('lost after joining', $poller->{joined}, "$stand->{who}: id $id was first sent at $message->{asked}, after it had joined at $poller->{joined}")
            if $message->{asked} > $poller->{joined} + 0.001;
    }
    return;
}

sub _ids {
    my ($self, $stand) = @_;
    return $self->{logs}[ $stand->{log} ]{room}{ $stand->{room} } || [];
}

# The number of the log at this time.
sub _log_at {
    my ($self, $time) = @_;
    return scalar grep { $_->{at} <= $time } @{ $self->{restored} };
}

# The message before its position: [id, mark].
sub _before {
    my ($self, $stand) = @_;
    return [] if !$stand->{at};
    my $saved = $self->{logs}[ $stand->{log} ]{saved};
    return [map { [$_, (split /:/, $saved->{$_}[1])[1]] } @{ $self->_ids($stand) }[0 .. $stand->{at} - 1]];
}

# From a position within the backup it continues in the next log, and is not told.
sub _goes_on {
    my ($self, $stand) = @_;
    my $next = $self->{logs}[ $stand->{log} + 1 ] or return 0;
    return 0 if $stand->{at} && $self->_ids($stand)->[ $stand->{at} - 1 ] > $next->{begins};
    $stand->{log}++;
    return 1;
}

sub _has {
    my ($self, $log, $id, $text) = @_;
    my $saved = $self->{logs}[$log]{saved}{$id};
    return $saved && $saved->[1] eq $text;
}

# Its first message, or the first after a reset.
sub _begin {
    my ($self, $stand, $id, $text) = @_;
    for my $log ($stand->{log} .. $#{ $self->{logs} }) {
        next if !$self->_has($log, $id, $text);
        $stand->{log} = $log;
        last;
    }
    $stand->{at} = _index_after($self->_ids($stand), $id - 1);
    return;
}

# It must have been ahead of a backup that was restored meanwhile.
sub _take_reset {
    my ($self, $stand, $time, $asked, $new) = @_;
    my @since = grep { $_->{at} && $_->{at} <= $time } @{ $self->{logs} }[$stand->{log} + 1 .. $#{ $self->{logs} }];
    if (!grep { $asked > $_->{begins} } @since) {
        $self->_breach('told a reset', $time, "$stand->{who}: with a cursor of id $asked");
        return;
    }
    $stand->{log} += @since;
    # The page may begin anywhere; if it is empty, so is the room up to there.
    $stand->{at} = undef;
    $stand->{at} = 0 if !grep { $_ <= $new } @{ $self->_ids($stand) };
    return;
}

sub _take_item {
    my ($self, $stand, $time, $id, $text) = @_;
    my ($who, $saved) = ($stand->{who}, sub { $self->{logs}[ $stand->{log} ]{saved}{$id} });
    until (($self->_ids($stand)->[ $stand->{at} ] // 0) == $id && $self->_has($stand->{log}, $id, $text)) {
        $self->_goes_on($stand) or last;
    }
    my ($ids, $at) = ($self->_ids($stand), $stand->{at});
    if (($ids->[$at] // 0) == $id) {
        $stand->{at}++;
        $self->_breach('delivered otherwise than saved', $time, "$who: id $id is $text, saved as " . $saved->()->[1]) if $saved->()->[1] ne $text;
        return;
    }
    my $index = _index_after($ids, $id - 1);
    if (($ids->[$index] // 0) != $id) {
        $self->_breach('delivered, not saved', $time, "$who: id $id, $text");
    }
    elsif ($index > $at) {
        $self->_breach('lost', $time, "$who: " . ($index - $at) . " messages, ids $ids->[$at] to $ids->[$index - 1], are missing before id $id");
        $stand->{at} = $index + 1;
    }
    else {
        $self->_breach('doubled or out of order', $time, "$who: id $id, $text, after id " . ($at ? $ids->[$at - 1] : 0));
    }
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
