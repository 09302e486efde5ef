# More than one longroom-history on a database: each publishes on a bus of its own,
# and longroom-pushd hears what bus.subscribe names (longroom-history(8)).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Socket::INET ();
use Longroom;
use Test::More;

my $other = 'another longroom-history on this database publishes on';
my $unheard = 'which bus.subscribe does not name';

sub bus_of { return "ipc://$_[0]{dir}/bus.ipc" }

# Another longroom-history, in a folder of its own, on the database of the first.
sub beside {
    my ($first, %settings) = @_;
    return Longroom->start(
        without  => [qw(nginx pushd)],
        settings => { 'store.url' => 'sqlite:' . $first->database, %settings },
    );
}

sub count { my ($l, $name, $pattern) = @_; return scalar grep { $_ =~ $pattern } split /\n/, $l->log($name) }

sub warnings_of { my ($l, $name) = @_; return [ grep {/ (?:warning|error): /} split /\n/, $l->log($name) ] }

subtest 'a second longroom-history with another bus' => sub {
    my $first  = Longroom->start;
    my $second = beside($first);
    my ($its, $ours) = map { quotemeta bus_of($_) } $second, $first;
    ok $second->wait_log('history', qr/warning: $other $ours, this one on $its: /), 'says so itself';
    ok $first->wait_log('history', qr/warning: $other $its, this one on $ours: /), 'the first does';
    ok $first->wait_log('pushd', qr/warning: a longroom-history on this database publishes on $its, $unheard: /),
        'and so does longroom-pushd';
    # To tell of a third, all of them have looked again.
    my $third = beside($first);
    my $that  = quotemeta bus_of($third);
    ok $first->wait_log($_, qr/publishes on $that,/), "$_ tells of a third" for qw(history pushd);
    ok $second->wait_log('history', qr/publishes on $that,/), 'the second does';
    is count($first, $_, qr/publishes on $its,/), 1, "$_: nothing is said twice" for qw(history pushd);
    is count($second, 'history', qr/publishes on $ours,/), 1, 'nor by the second';
    is scalar @{ warnings_of($first, 'pushd') }, 2, 'longroom-pushd does not tell of the bus that it hears';
    $_->stop for $third, $second, $first;
};

subtest 'one that was killed' => sub {
    my $first  = Longroom->start;
    my $second = beside($first);
    $second->signal(history => 'KILL');
    my %from = map { $_ => $first->log_size($_) } qw(history pushd);
    $first->restart(qw(history pushd));
    # A look belongs to the start of both.
    ok $first->wait_log('history', qr/serving/, undef, $from{history}), 'longroom-history is started again';
    ok $first->wait_log('pushd', qr/following the log/, undef, $from{pushd}), 'and longroom-pushd';
    unlike $first->log($_, $from{$_}), qr/publishes on/, "$_ does not take it for alive" for qw(history pushd);
    $_->stop for $second, $first;
};

subtest 'two that are meant' => sub {
    my $dir = Longroom::fresh_dir();
    my @buses = map {"ipc://$dir/bus$_.ipc"} 1, 2;
    my %both = ('bus.subscribe' => "@buses");
    my $first  = Longroom->start(settings => { %both, 'bus.publish' => $buses[0] });
    my $second = beside($first, %both, 'bus.publish' => $buses[1]);
    my $third  = beside($first);
    ok $first->wait_log($_, qr/publishes on \Q${\bus_of($third)}\E,/), "$_ tells of a third" for qw(history pushd);
    is count($first, $_, qr/publishes on \Q$buses[1]\E,/), 0, "$_ does not tell of the second" for qw(history pushd);
    is count($second, 'history', qr/publishes on \Q$buses[0]\E,/), 0, 'nor does the second of the first';
    $_->stop for $third, $second, $first;
};

subtest 'addresses that are written in two ways' => sub {
    my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
    my $dir = Longroom::fresh_dir();
    symlink $dir, "$dir/link" or die "symlink: $!\n";
    for my $pair (["tcp://127.0.0.1:$port", "tcp://localhost:$port"], ["ipc://$dir/bus.ipc", "ipc://$dir/link/bus.ipc"]) {
        my ($publish, $subscribe) = @$pair;
        my $l = Longroom->start(settings => { 'bus.publish' => $publish, 'bus.subscribe' => $subscribe });
        my $second = beside($l);
        ok $l->wait_log('pushd', qr/publishes on \Q${\bus_of($second)}\E,/), 'what is not heard is told';
        is count($l, 'pushd', qr/publishes on \Q$publish\E,/), 0, "$publish is heard at $subscribe";
        $_->stop for $second, $l;
    }
};

subtest 'a second one with the same bus' => sub {
    my $first = Longroom->start;
    my $result = Longroom::run([Longroom::program('longroom-history'), '-c', $first->dir . '/longroom.conf',
            '-o', 'history.listen=unix:' . $first->dir . '/second.sock']);
    is $result->{status}, 1, 'does not start';
    # nanomsg leaks an address that it can't bind to, as a sanitizer then tells.
    like $result->{stderr}, qr/ error: bus \Q${\bus_of($first)}\E: Address already in use$/m, 'and says why';
    is $first->post('room_1', 'x')->{status}, 201, 'the first goes on';
    is_deeply warnings_of($first, 'history'), [], 'and has nothing to tell';
    $first->stop;
};

subtest 'the record is removed while it is in use' => sub {
    my $first  = Longroom->start;
    unlink $first->database . '-writers' or diag "no record: $!";
    my $second = beside($first);
    ok $first->wait_log($_, qr/publishes on \Q${\bus_of($second)}\E,/), "$_ finds the other all the same" for qw(history pushd);
    ok $second->wait_log('history', qr/publishes on \Q${\bus_of($first)}\E,/), 'and the other finds it';
    $_->stop for $second, $first;
};

subtest 'links in place of the files beside the database' => sub {
    my $l = Longroom->start(without => ['nginx']);
    $l->stop_program('history');
    my %victim = map { $_ => $l->dir . "/victim$_" } qw(-writers -acknowledged);
    for my $file (sort keys %victim) {
        Longroom::spew($victim{$file}, "not ours\n");
        unlink $l->database . $file;
        symlink $victim{$file}, $l->database . $file or die "symlink: $!\n";
    }
    my $from = $l->log_size('history');
    $l->start_program('history');
    # Another that is told of has looked, and so have we.
    my $second = beside($l);
    ok $second->wait_log('history', qr/serving/), 'another longroom-history starts';
    $_->stop_program('history') for $second, $l;
    is Longroom::slurp($victim{$_}), "not ours\n", "$_: the file that the link leads to is as it was" for sort keys %victim;
    like $l->log('history', $from), qr/error: can't write \Q${\$l->database}\E-acknowledged: /, 'the missing record is told';
    $_->stop for $second, $l;
};

done_testing;
