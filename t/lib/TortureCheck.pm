package TortureCheck;

# The verdict of the torture: reads what writers and pollers have written down
# (TortureClients.pm), the database, the history over HTTP and when what was
# away (Chaos.pm), and tells every breach of what PROTOCOL promises.

use strict;
use warnings;

use constant {
    # Beyond its timeout and the time for which something was away, a request
    # may take this long: a start under a sanitizer, the look at the log a
    # second later, store.busy_timeout, a busy machine.
    GRACE_SECONDS => 8,
    TOLD_OF_EACH  => 5,
};

sub new {
    my ($class, %options) = @_;
    return bless { %options, breach => {}, evidence => [], count => {} }, $class;
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

# Nobody asks any more: longroom-pushd must have nobody who waits.
sub judge_waiting {
    my ($self) = @_;
    my $l = $self->{longroom};
    my $waiting;
    $l->eventually(GRACE_SECONDS, sub {
        # Should it be away, others tell.
        my $answer = eval { $l->connect('pushd')->ask(Longroom::get_bytes('/metrics')) } or return 0;
        ($waiting) = $answer->{content} =~ /^longroom_pushd_connections\{state="waiting"\} ([0-9]+)$/m;
        return defined $waiting && $waiting == 0;
    }) or $self->_breach('waiting for nobody', time, sprintf '%s polls wait, %d s after all clients have gone', $waiting // 'no', GRACE_SECONDS);
    return;
}

# ---------------------------------------------------------------- what is saved

# {saved}{id} = [room, "mark:size"], {room}{name} = [ids], {mark}{mark} = id
sub _read_database {
    my ($self) = @_;
    my $l = $self->{longroom};
    my $foreign = $self->{foreign};
    for my $row ($l->sql('SELECT m.id, r.name, m.client_id, m.sender_name, substr(m.content, 1, 40), length(m.content)'
        . ' FROM messages AS m LEFT JOIN rooms AS r USING (room_id) ORDER BY m.id;')) {
        my ($id, $room, $client_id, $attempt, $content, $size) = split /\|/, $row;
        next if $foreign && $room =~ /$foreign/;
        my ($mark) = split / /, $content;
        $self->_breach('damaged', time, "id $id has client_id $client_id and content $content") if $mark ne $client_id;
        $self->_breach('saved twice', time, "$mark is saved as id $self->{mark}{$mark} and as id $id") if $self->{mark}{$mark};
        $self->{saved}{$id} = [$room, "$attempt:$mark:$size"];
        $self->{mark}{$mark} = $id;
        push @{ $self->{room}{$room} }, $id;
    }
    $self->{count}{saved} = keys %{ $self->{saved} };
    my ($sound) = $l->sql('PRAGMA integrity_check;');
    $self->_breach('database damaged', time, $sound) if $sound ne 'ok';
    return;
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
    $self->_breach('answered but not saved', $at, "$mark in $room was answered $status with id $id, which is "
        . ($saved ? "@$saved" : 'not there') . ($self->{mark}{$mark} ? "; $mark is id $self->{mark}{$mark}" : ''))
        if !$saved || $saved->[0] ne $room || (split /:/, $saved->[1])[1] ne $mark;
    $self->{needed}{$room}{$mark} = $asked if $saved;
    return;
}

sub _judge_answers {
    my ($self) = @_;
    for my $mark (keys %{ $self->{sent} }) {
        my $message = $self->{sent}{$mark};
        $self->_breach('never answered', $message->{at}, "$mark in $message->{room}: $message->{attempts} attempts, the last $message->{status}")
            if $message->{status} !~ /^20[012]$/;
        next if $message->{status} != 202 || !$self->{mark}{$mark};
        # A repeat can't know of the first attempt while the log can't be read.
        if ($message->{attempts} > 1) { $self->{count}{'unsaved by the last answer, saved by an earlier attempt'}++ }
        else { $self->_breach('202 for what is saved', $message->{at}, "$mark is id $self->{mark}{$mark}") }
    }
    # One that a writer has left alone may be in no file; but nobody else writes.
    for my $mark (keys %{ $self->{mark} }) {
        $self->_breach('nobody sent it', time, "$mark, id $self->{mark}{$mark}") if !$self->{sent}{$mark};
    }
    $self->{count}{sent} = keys %{ $self->{sent} };
    return;
}

# Something was away for part of the request's time: that is not its fault.
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
        next if $line !~ /^D (\S+) (\S+) (\S+)/;
        push @{ $pollers->{$2}{got} }, [$1, $3];
    }
    return;
}

sub _judge_poller {
    my ($self, $name, $poller) = @_;
    my $room = $poller->{room};
    my $ids = $self->{room}{$room} || [];
    my $at = 0;
    my $who = "poller $name in $room";
    # By history: all after the newest that it knew. By a poll: all after some
    # point, which is not after the first that was sent since.
    $at = _index_after($ids, $poller->{last}) if $poller->{last} ne '-';
    my $begun = $poller->{last} ne '-';
    my ($first, %unsaved, %saved);
    for my $page (@{ delete $poller->{got} || [] }) {
        my ($time, $items) = @$page;
        for my $item (split /,/, $items) {
            my ($id, $attempt, $mark, $size) = split /:/, $item;
            if ($id eq 'null') {
                $self->{count}{'unsaved delivered'}++;
                $self->_breach('unsaved twice', $time, "$who: $mark, attempt $attempt") if $unsaved{"$mark $attempt"}++;
                $self->{count}{"unsaved delivered anew from a repeat"}++ if $unsaved{$mark}++;
                next;
            }
            $self->{count}{'saved delivered'}++;
            $saved{"$mark $attempt"} = $time;
            if (!$begun) {
                $begun = 1;
                $at = _index_after($ids, $id - 1);
                $first = $at;
            }
            my $expected = $ids->[$at] // 0;
            if ($id == $expected) {
                $at++;
                $self->_breach('delivered otherwise than saved', $time, "$who: id $id is $attempt:$mark:$size, saved as $self->{saved}{$id}[1]")
                    if "$attempt:$mark:$size" ne $self->{saved}{$id}[1];
                next;
            }
            my $index = _index_after($ids, $id - 1);
            if (($ids->[$index] // 0) != $id) {
                $self->_breach('delivered, not saved', $time, "$who: id $id, $mark");
            }
            elsif ($index > $at) {
                $self->_breach('lost', $time, "$who: " . ($index - $at) . " messages, ids $ids->[$at] to $ids->[$index - 1], are missing before id $id");
                $at = $index + 1;
            }
            else {
                $self->_breach('doubled or out of order', $time, "$who: id $id, $mark, after id " . ($at ? $ids->[$at - 1] : 0));
            }
        }
    }
    for (grep {/ /} keys %unsaved) {
        $self->_breach('saved and unsaved from one attempt', $saved{$_}, "$who: $_") if $saved{$_};
    }
    return if !@$ids;
    $first = $at if !$begun;
    $self->_breach('lost at the end', time, "$who: " . (@$ids - $at) . " messages from id $ids->[$at] on never came") if $at < @$ids;
    return if !defined $first;
    for my $id (@$ids[0 .. $first - 1]) {
        my $message = $self->{sent}{ (split /:/, $self->{saved}{$id}[1])[1] } or next;
        $self->_breach('lost after joining', $poller->{joined}, "$who: id $id was first sent at $message->{asked}, after it had joined at $poller->{joined}")
            if $message->{asked} > $poller->{joined} + 0.001;
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
