package Followers;

# Clients that come back to a room with a cursor from before an accident, and what
# must be true then, whatever the operator did:
#
#   - every message that was answered with 201 and is still in the file is in history,
#     once;
#   - every client gets "reset" or "gap" if it lacks something, or has messages that
#     no longer exist, and neither otherwise; what it gets then is the rest of the
#     log, complete;
#   - the database is sound.
#
#     my $f = Followers->new($l, 'room_26');
#     my @held = $f->send(5);
#     $f->stay('clients that have five');    # clients that have seen everything so far
#     ...                                     # the accident
#     $f->send(6);
#     $f->judge([@held, 'said 6', ...]);      # tests

use strict;
use warnings;

use Longroom;
use Test::More;

use constant PAGES_MOST => 50;

sub new {
    my ($class, $l, $room) = @_;
    return bless { l => $l, room => $room, sent => 0, clients => [] }, $class;
}

# Sends $count messages, each answered with 201; returns their texts. No text is used
# twice.
sub send {
    my ($self, $count) = @_;
    my @texts;
    for (1 .. $count) {
        my $text = 'said ' . ++$self->{sent};
        my $answer = $self->{l}->post($self->{room}, $text);
        is $answer->{status}, 201, "$text is saved" or diag $answer->{content};
        push @texts, $text;
    }
    return @texts;
}

sub _log {
    my ($self) = @_;
    return map {"$_->{id} $_->{content}"} @{ $self->{l}->whole_history($self->{room}) };
}

# Adds two clients of this name that have seen everything so far: one has the cursor
# of a poll, the other that of a page of history.
sub stay {
    my ($self, $name) = @_;
    my ($l, $room) = @$self{qw(l room)};
    my @seen = $self->_log;
    $self->_wait_for_pushd($seen[-1]) if @seen;
    my %cursor = (
        poll    => $l->poll($room, after => 0, timeout => 0)->{json}{cursor},
        history => $l->history($room)->{json}{cursor},
    );
    push @{ $self->{clients} },
        map { { name => "$name, cursor of $_", cursor => $cursor{$_}, seen => \@seen } } sort keys %cursor;
    return;
}

# longroom-pushd has the end of the log.
sub _wait_for_pushd {
    my ($self, $last) = @_;
    my ($id) = $last =~ /^(\d+) /;
    return $self->{l}->eventually(30, sub {
        my $page = $self->{l}->poll($self->{room}, after => $id - 1, timeout => 1)->{json} or return 0;
        my $message = ($page->{messages} || [])->[-1] or return 0;
        return !$page->{reset} && "$message->{id} $message->{content}" eq $last;
    });
}

# What the clients find now. $held: the texts that the log must hold. Options:
# another_log => 1: it is another log, of which all are told, even clients with nothing.
sub judge {
    my ($self, $held, %options) = @_;
    my @log = $self->_log;
    Longroom::same_list([map {s/^\d+ //r} @log], $held, 'the messages of the file are served, once, in order');
    is join(' ', $self->{l}->sql('PRAGMA integrity_check;')), 'ok', 'the database is sound';
    ok $self->_wait_for_pushd($log[-1]), 'longroom-pushd has all of them';
    for my $client (@{ $self->{clients} }) {
        for my $way (qw(poll history)) {
            my $found = $self->_catch_up($way, $client->{cursor});
            my $lacks = $options{another_log} || !_begins_with(\@log, $client->{seen});
            is _verdict($client->{seen}, \@log, $found, $lacks), 'good', "$client->{name}, comes back by $way";
        }
    }
    return;
}

# Everything that a client gets from its cursor on: {got => [], told => 'reset', 'gap'
# or ''}. After a reset it has what the page has, and no more.
sub _catch_up {
    my ($self, $way, $cursor) = @_;
    my %query = $way eq 'poll' ? (timeout => 0) : (limit => 3);
    my %found = (got => [], told => '');
    for (1 .. PAGES_MOST) {
        my $page = $self->{l}->can($way)->($self->{l}, $self->{room}, after => $cursor, %query)->{json}
            or return { %found, told => 'an error' };
        $found{told} = 'gap' if $page->{gap};
        @found{qw(told got)} = ('reset', []) if $page->{reset};
        push @{ $found{got} }, map {"$_->{id} $_->{content}"} @{ $page->{messages} };
        $cursor = $page->{cursor};
        return \%found if !$page->{count} && !$page->{reset};
    }
    return { %found, told => 'no end' };
}

sub _begins_with {
    my ($list, $beginning) = @_;
    return @$beginning <= @$list && "@$list[0 .. $#$beginning]" eq "@$beginning";
}

# 'good', or what is wrong.
sub _verdict {
    my ($seen, $log, $found, $lacks) = @_;
    my @got = @{ $found->{got} };
    return "$found->{told}, though nothing is missing" if $found->{told} && !$lacks;
    my @from_there = @$log[($lacks ? @$log - @got : @$seen) .. $#$log];
    return 'skipped silently: has "' . join(', ', @$seen, @got) . '"' if $lacks && !$found->{told};
    return 'got "' . join(', ', @got) . '" of "' . join(', ', @from_there) . '"' if "@got" ne "@from_there";
    return 'good';
}

1;
