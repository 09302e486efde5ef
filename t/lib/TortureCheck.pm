package TortureCheck;

# The verdict of the torture: reads the records of writers and followers
# (TortureClients.pm), the database, the history over HTTP and the times when something
# was down (Chaos.pm), and reports every breach of PROTOCOL's promises.
# TortureFollowed.pm judges what each follower got.

use strict;
use warnings;

use TortureFollowed ();
use Time::HiRes qw(time);

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
    my %followers;
    for my $file (@files) {
        open my $in, '<', $file or die "can't read $file: $!\n";
        while (my $line = <$in>) {
            chomp $line;
            my ($letter, $at, @words) = split ' ', $line;
            if    ($letter eq 'W') { $self->_take_answer($at, @words) }
            elsif ($letter eq 'J') { $followers{$file}{ $words[0] } = [] }
            elsif ($letter eq 'X' && $words[1] eq 'reset') { $self->{count}{resets}++ }
            elsif ($letter eq 'X') { $self->_breach("told a $words[1]", $at, "$words[0]: $words[1]") }
            elsif ($letter eq 'S') { $self->_judge_slow($at, @words) }
            elsif ($letter eq 'F') { $self->_breach('refused', $at, "@words") }
            elsif ($letter eq 'C') {
                if ($at =~ /slowest/) { $self->{count}{$at} = $words[0] if $words[0] > ($self->{count}{$at} || 0) }
                else                  { $self->{count}{$at} += $words[0] }
            }
        }
    }
    $self->_judge_answers;
    my $joined = 0;
    for my $file (sort keys %followers) {
        my $lines = delete $followers{$file};
        $joined += keys %$lines;
        $self->_read_lines($file, $lines);
        TortureFollowed->judge($self, $_, delete $lines->{$_}) for sort keys %$lines;
    }
    $self->{count}{followers} = $joined;
    $self->_breach('never joined', time, "$self->{expected} followers, joined $joined") if $joined != $self->{expected};
    return !%{ $self->{breach} };
}

# No client is left: longroom-pushd must have no waiter and no stream.
sub judge_waiting {
    my ($self) = @_;
    my $l = $self->{longroom};
    my @left = ('an unknown number of');
    $l->eventually(GRACE_SECONDS, sub {
        # If it is down, other checks report that.
        my $answer = eval { $l->connect('pushd')->ask(Longroom::get_bytes('/metrics')) } or return 0;
        my @found = $answer->{content} =~ /^longroom_pushd_(?:connections\{state="waiting"\}|streams) ([0-9]+)$/mg;
        @left = @found if @found;
        return @found && !grep {$_} @found;
    }) or $self->_breach('a waiter is left', time, sprintf '%s polls and streams wait, %d s after all clients have gone', join('/', @left), GRACE_SECONDS);
    return;
}

# ---------------------------------------------------------------- what is saved

# If backups were restored there was more than one log, each like the one before up to
# the highest id of the backup (begins), and different from then on:
#     {logs}[n]{saved}{id} = [room, "attempt:mark:size"], {room}{name} = [ids],
#     {mark}{mark} = id, {tags}{tag} = 1, its own and those of the logs before
# The last of them is the current one.
sub _read_database {
    my ($self) = @_;
    my @restored = @{ $self->{restored} };
    my @files = ((map { $_->{lost} } @restored), $self->{longroom}->database);
    $self->{logs} = [map { $self->_read_log($_) } @files];
    $self->{logs}[$_ + 1]{begins} = $restored[$_]{last_id} for 0 .. $#restored;
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
    my $tags = Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file, "SELECT printf('%08x', tag) FROM incarnations"]);
    my %log = (room => {}, tags => { map { $_ => 1 } split /\n/, $tags->{stdout} });
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
                $got .= ' with other data' if ($mark =~ /-[0-9]+d$/ ? $mark : '') ne ($message->{data}{mark} // '');
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

sub _judge_slow {
    my ($self, $at, $who, $what, $limit, $asked, $status) = @_;
    $self->{count}{"slow ${what}s"}++;
    my ($took, $excused) = ($at - $asked, $self->excused($asked, $at));
    return if $took < $limit + $excused + GRACE_SECONDS;
    $self->_breach('hung', $at, sprintf '%s: a %s with a timeout of %d s, asked at %.3f, took %.1f s until %s; things were away for %.1f s of it',
        $who, $what, $limit, $asked, $took, $status || 'it was given up', $excused);
    return;
}

# For how many seconds between these times something was down.
sub excused {
    my ($self, $covered, $end) = @_;
    my $excused = 0;
    for my $outage (@{ $self->{outages} }) {
        my ($from, $to) = @$outage;
        $from = $covered if $from < $covered;
        $to = $end if $to > $end;
        next if $to <= $from;
        $excused += $to - $from;
        $covered = $to;
    }
    return $excused;
}

# ---------------------------------------------------------------- followers

sub _read_lines {
    my ($self, $file, $followers) = @_;
    open my $in, '<', $file or die "can't read $file: $!\n";
    while (my $line = <$in>) {
        next if $line !~ /^(?:[JLBHD]|X \S+ \S+ reset) /;
        my ($letter, $at, $name, @words) = split ' ', $line;
        push @{ $followers->{$name} }, [$letter, $at, @words];
    }
    return;
}

# The id in a cursor. A client must not look inside, but this check may.
sub id_of {
    my ($cursor) = @_;
    return $cursor =~ /^(?:1\.[0-9a-f]+\.)?([0-9]+)/ ? $1 : 0;
}

# The number of the log that a cursor is from. An id does not say it.
sub log_of {
    my ($self, $cursor) = @_;
    my ($tag) = $cursor =~ /^1\.([0-9a-f]+)\./ or return 0;
    my ($number) = grep { $self->{logs}[$_]{tags}{$tag} } 0 .. $#{ $self->{logs} };
    return $number if defined $number;
    $self->_breach('a cursor of no log', time, $cursor);
    return 0;
}

1;
