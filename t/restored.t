# A log that is restored from a backup, as the manual says or in other ways: no client
# misses anything without being told, and none is told when nothing is missing
# (PROTOCOL section 7, longroom-history(8)). What must be true after each accident is
# in t/lib/Followers.pm.
#
# Nine messages are sent. Clients stop at what they have seen of them; a backup is
# made after five. Then comes the accident, and then six more messages, so that the
# log grows beyond all earlier cursors.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Followers;
use JSON::PP ();
use Longroom;
use Test::More;

my $room = 'room_26';

sub copy {
    my ($from, $to) = @_;
    File::Copy::copy($from, $to) or die "copy $from to $to: $!\n";
    return;
}

sub back_up {
    my ($l, $to) = @_;
    $l->sql(".backup $to");
    return;
}

sub remove_side_files {
    my ($l) = @_;
    unlink map { $l->database . $_ } qw(-wal -shm);
    return;
}

sub record_of { return $_[0]->database . '-acknowledged' }

sub end     { my ($l) = @_; $l->stop_program($_)  for qw(pushd history); return }
sub start   { my ($l) = @_; $l->start_program($_) for qw(history pushd); return }
sub restart { my ($l) = @_; end($l); start($l); return }

# As the manual says. $meanwhile runs when the file is in place.
sub restore {
    my ($l, $backup, $meanwhile) = @_;
    end($l);
    copy($backup, $l->database);
    remove_side_files($l);
    $meanwhile->() if $meanwhile;
    start($l);
    return;
}

sub new_incarnation {
    my ($l) = @_;
    return Longroom::run([Longroom::program('longroom-history'), '-c', $l->dir . '/longroom.conf', '--new-incarnation']);
}

# Puts another Longroom's log in place, with $count messages.
sub put_another_log {
    my ($l, $count) = @_;
    my $other = Longroom->start(without => ['pushd']);
    my @held = map {s/^/other /r} 1 .. $count;
    $other->post($room, $_) for @held;
    back_up($other, $l->dir . '/other.db');
    $other->stop;
    restore($l, $l->dir . '/other.db');
    return @held;
}

# Each gets {l, f, backup, backed_up => [texts], all => [texts]} and returns the texts
# that the file then holds.
my @accidents = (
    {
        title => 'just a restart',
        deed  => sub { my ($w) = @_; restart($w->{l}); return @{ $w->{all} } },
    },
    {
        title => 'a backup is restored as the manual says',
        deed  => sub { my ($w) = @_; restore($w->{l}, $w->{backup}); return @{ $w->{backed_up} } },
    },
    {
        title => 'a complete backup is restored',
        deed  => sub {
            my ($w) = @_;
            back_up($w->{l}, $w->{backup});
            restore($w->{l}, $w->{backup});
            return @{ $w->{all} };
        },
    },
    {
        title => 'a backup of the empty log is restored',
        deed  => sub { my ($w) = @_; restore($w->{l}, $w->{empty}); return () },
    },
    {
        title => 'the programs are killed, and a backup is restored',
        deed  => sub {
            my ($w) = @_;
            $w->{l}->signal($_, 'KILL') for qw(pushd history);
            restore($w->{l}, $w->{backup});
            return @{ $w->{backed_up} };
        },
    },
    {
        title => 'a backup is restored without the -acknowledged file',
        deed  => sub {
            my ($w) = @_;
            restore($w->{l}, $w->{backup}, sub { unlink record_of($w->{l}) });
            return @{ $w->{backed_up} };
        },
    },
    {
        title => '... or with half of that file',
        deed  => sub {
            my ($w) = @_;
            restore($w->{l}, $w->{backup}, sub { truncate record_of($w->{l}), 20 });
            return @{ $w->{backed_up} };
        },
    },
    {
        title => '... or with that file unreadable',
        deed  => sub {
            my ($w) = @_;
            restore($w->{l}, $w->{backup}, sub { chmod 0, record_of($w->{l}) });
            return @{ $w->{backed_up} };
        },
    },
    {
        title => 'a backup is restored twice',
        deed  => sub {
            my ($w) = @_;
            restore($w->{l}, $w->{backup});
            $w->{f}->send(4);
            $w->{f}->stay('clients of the incarnation between');
            restore($w->{l}, $w->{backup});
            return @{ $w->{backed_up} };
        },
    },
    {
        title => 'a backup is restored, and then one made after that',
        deed  => sub {
            my ($w) = @_;
            restore($w->{l}, $w->{backup});
            my @then = $w->{f}->send(2);
            back_up($w->{l}, $w->{backup});
            $w->{f}->stay('clients of the second backup');
            $w->{f}->send(2);
            $w->{f}->stay('clients of the incarnation between');
            restore($w->{l}, $w->{backup});
            return (@{ $w->{backed_up} }, @then);
        },
    },
    {
        title => 'a backup is restored, and the original put back',
        deed  => sub {
            my ($w) = @_;
            end($w->{l});
            copy($w->{l}->database, "$w->{backup}.original");
            start($w->{l});
            restore($w->{l}, $w->{backup});
            $w->{f}->send(6);
            $w->{f}->stay('clients of the incarnation between');
            restore($w->{l}, "$w->{backup}.original");
            return @{ $w->{all} };
        },
    },
    {
        title       => "another log's file is put in place",
        another_log => 1,
        deed  => sub { my ($w) = @_; return put_another_log($w->{l}, 12) },
    },
    {
        title => "another log's file is put in place, and then a backup",
        deed  => sub {
            my ($w) = @_;
            put_another_log($w->{l}, 2);
            restore($w->{l}, $w->{backup});
            return @{ $w->{backed_up} };
        },
    },
    {
        title => 'a whole folder is restored, and the operator says so',
        deed  => sub {
            my ($w) = @_;
            my $l = $w->{l};
            restore($l, $w->{backup}, sub {
                copy("$w->{backup}-acknowledged", record_of($l));
                my $result = new_incarnation($l);
                is $result->{status}, 0, '--new-incarnation ends with 0' or diag $result->{stderr};
                like $result->{stdout}, qr/\Asqlite:\S+longroom\.db: incarnation [0-9a-f]{8} begins after msg_id=5\n\z/,
                    '... and says in one line what it did';
            });
            return @{ $w->{backed_up} };
        },
    },
    {
        title => 'an operator begins an incarnation without need',
        deed  => sub {
            my ($w) = @_;
            end($w->{l});
            is new_incarnation($w->{l})->{status}, 0, '--new-incarnation ends with 0' for 1 .. 2;
            start($w->{l});
            return @{ $w->{all} };
        },
    },
    {
        title => "a backup is put in place by sqlite3's .restore, while the programs run",
        deed  => sub { my ($w) = @_; $w->{l}->sql(".restore $w->{backup}"); return @{ $w->{backed_up} } },
    },
    {
        title => '... twice',
        deed  => sub {
            my ($w) = @_;
            $w->{l}->sql(".restore $w->{backup}");
            $w->{f}->send(6);
            $w->{f}->stay('clients of the incarnation between');
            $w->{l}->sql(".restore $w->{backup}");
            return @{ $w->{backed_up} };
        },
    },
    {
        title => '... a second before the next message',
        deed  => sub {
            my ($w) = @_;
            my $l = $w->{l};
            $l->sql(".restore $w->{backup}");
            ok $l->wait_log('history', qr/a new incarnation of the log begins/, 10),
                'longroom-history notices by itself';
            return @{ $w->{backed_up} };
        },
    },
    {
        title => '... after a checkpoint, and the programs are killed after some messages',
        deed  => sub {
            my ($w) = @_;
            my $l = $w->{l};
            $l->sql("PRAGMA wal_checkpoint(TRUNCATE);\n.restore $w->{backup}");
            my @then = $w->{f}->send(3);
            $w->{f}->stay('clients of the new incarnation');
            $l->signal($_, 'KILL') for qw(pushd history);
            start($l);
            return (@{ $w->{backed_up} }, @then);
        },
    },
    {
        title => 'a backup is put in place while only longroom-history is stopped',
        deed  => sub {
            my ($w) = @_;
            my $l = $w->{l};
            $l->stop_program('history');
            remove_side_files($l);
            rename $w->{backup}, $l->database or die "rename: $!\n";
            $l->start_program('history');
            return @{ $w->{backed_up} };
        },
    },
);

for my $accident (@accidents) {
    subtest $accident->{title} => sub {
        my $l = Longroom->start;
        my $f = Followers->new($l, $room);
        my %world = (l => $l, f => $f, backup => $l->dir . '/backup.db', empty => $l->dir . '/empty.db');
        back_up($l, $world{empty});
        $f->stay('clients that have nothing yet');
        my @texts = $f->send(3);
        $f->stay('clients that have three messages');
        push @texts, $f->send(2);
        $f->stay('clients that have exactly the backup');
        back_up($l, $world{backup});
        copy(record_of($l), "$world{backup}-acknowledged") if -e record_of($l);
        $world{backed_up} = [@texts];
        push @texts, $f->send(1);
        $f->stay('clients that have one more');
        push @texts, $f->send(3);
        $f->stay('clients that have all');
        $world{all} = [@texts];
        my @held = $accident->{deed}->(\%world);
        push @held, $f->send(6);
        $f->judge(\@held, another_log => $accident->{another_log});
        $l->stop;
    };
}

subtest 'waiting clients are told when a backup is put in place, if they are ahead' => sub {
    my $l = Longroom->start;
    my $f = Followers->new($l, $room);
    $f->send(3);
    my $behind = $l->history($room)->{json}{cursor};
    my @held = $f->send(2);
    my $at = $l->history($room)->{json}{cursor};
    back_up($l, $l->dir . '/backup.db');
    my $other = $l->poll('nobody', after => $behind, timeout => 0)->{json}{cursor};
    $f->send(4);
    my $ahead = $l->history($room)->{json}{cursor};
    my $pollers = $l->pollers;
    my %seen = (
        ahead  => $pollers->follow($room,    after => $ahead),
        within => $pollers->follow('nobody', after => $other),
    );
    $pollers->run(0.3);
    $l->stop_program('history');
    remove_side_files($l);
    rename $l->dir . '/backup.db', $l->database or die "rename: $!\n";
    $l->start_program('history');
    ok $pollers->run(30, sub { $seen{ahead}{resets} }), 'a client ahead of the backup gets reset at once';
    my @new = $f->send(6);
    $l->post('nobody', 'at last');
    ok $pollers->run(30, sub { ($seen{within}{contents}[-1] // '') eq 'at last' && $seen{ahead}{contents}[-1] eq $new[-1] }),
        'both clients get the next message';
    $pollers->close;
    is_deeply $seen{within}{contents}, ['at last'], 'the client within the backup gets it once';
    is_deeply [@{ $seen{within} }{qw(resets gaps)}], [0, 0], 'and sees neither reset nor gap';
    is_deeply [@{ $seen{ahead}{contents} }[-6 .. -1]], \@new,
        'the client ahead gets the new messages in order';
    $l->stop;
};

subtest 'a cursor of an incarnation that longroom-pushd has not seen yet is valid' => sub {
    my $l = Longroom->start;
    my $f = Followers->new($l, $room);
    $f->send(3);
    for (1 .. 5) {
        $l->stop_program('history');
        new_incarnation($l);
        $l->start_program('history');
        my $cursor = $l->history($room)->{json}{cursor};
        my $c = $l->connect;
        $c->write(Longroom::get_bytes("/rooms/$room/poll?timeout=20&after=$cursor"));
        my @sent = $f->send(1);
        my $answer = $c->answer(20);
        is_deeply [@{ $answer->{json} }{qw(count reset)}], [1, undef], 'a poll with it waits';
        is_deeply $l->message_contents($answer), \@sent, '... for the next message';
    }
    $l->stop;
};

subtest 'an operator may begin an incarnation only while nothing writes' => sub {
    my $l = Longroom->start;
    my $f = Followers->new($l, $room);
    my @held = $f->send(2);
    $f->stay('clients that have two messages');
    my $refused = new_incarnation($l);
    isnt $refused->{status}, 0, '--new-incarnation is refused while longroom-history runs';
    like $refused->{stderr}, qr/no new incarnation has begun: another writer has the log open: stop it first\n\z/,
        '... it says why';
    is $refused->{stdout}, '', '... and prints nothing else';
    $l->stop_program('history');
    is new_incarnation($l)->{status}, 0, 'a running longroom-pushd does not prevent it';
    $l->start_program('history');
    push @held, $f->send(1);
    $f->judge(\@held);
    unlink record_of($l);
    push @held, $f->send(1);
    isnt new_incarnation($l)->{status}, 0,
        'it is refused even if the file beside the log was removed meanwhile';
    is new_incarnation(Longroom->start(without => [qw(history pushd)]))->{status}, 1,
        'it is refused without a log';
    my $cgi = Longroom::run([Longroom::program('longroom-history'), '--new-incarnation'],
        env => { REQUEST_METHOD => 'GET', QUERY_STRING => '--new-incarnation', LONGROOM_CONF => $l->dir . '/longroom.conf' });
    unlike $cgi->{stdout}, qr/incarnation/, 'a client cannot begin one through CGI';
    $f->judge(\@held);
    $l->stop;
};

subtest 'a bare id names no incarnation' => sub {
    my $l = Longroom->start;
    my $f = Followers->new($l, $room);
    $f->send(5);
    back_up($l, $l->dir . '/backup.db');
    $f->send(4);
    restore($l, $l->dir . '/backup.db');
    is $l->poll($room, after => 9, timeout => 20)->{json}{reset}, JSON::PP::true,
        'an id beyond the end gets reset';
    $f->send(6);
    my $ids;
    $l->eventually(20, sub { @{ $ids = $l->message_ids($l->poll($room, after => 9, timeout => 20)) } == 2 });
    is_deeply $ids, [10, 11], 'an id within the log gets what follows';
    $l->stop;
};

done_testing;
