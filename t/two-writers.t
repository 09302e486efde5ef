# More than one longroom-history on a database: each publishes on a bus of its own, and
# longroom-pushd receives those that bus.subscribe names (longroom-history(8)).

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

# Another longroom-history, in a folder of its own, on the first one's database.
sub beside {
    my ($first, %settings) = @_;
    return Longroom->start(
        without  => [qw(nginx pushd)],
        settings => { 'store.url' => 'sqlite:' . $first->database, %settings },
    );
}

sub warnings_of { my ($l, $name) = @_; return [ $l->log_lines($name, qr/ (?:warning|error): /) ] }

subtest 'a second longroom-history with another bus is reported' => sub {
    my $first  = Longroom->start;
    my $second = beside($first);
    my ($its, $ours) = map { quotemeta bus_of($_) } $second, $first;
    ok $second->wait_log('history', qr/warning: $other $ours, this one on $its: /), 'the second warns';
    ok $first->wait_log('history', qr/warning: $other $its, this one on $ours: /), 'the first warns';
    ok $first->wait_log('pushd', qr/warning: a longroom-history on this database publishes on $its, $unheard: /),
        'longroom-pushd warns';
    # When they report a third, all of them have looked again.
    my $third = beside($first);
    my $that  = quotemeta bus_of($third);
    ok $first->wait_log($_, qr/publishes on $that,/), "$_ reports a third" for qw(history pushd);
    ok $second->wait_log('history', qr/publishes on $that,/), 'the second does too';
    is scalar($first->log_lines($_, qr/publishes on $its,/)), 1, "$_: nothing is reported twice" for qw(history pushd);
    is scalar($second->log_lines('history', qr/publishes on $ours,/)), 1, 'nor by the second';
    is scalar @{ warnings_of($first, 'pushd') }, 2,
        'longroom-pushd does not report the bus that it subscribes to';
    $_->stop for $third, $second, $first;
};

subtest 'a killed longroom-history is not reported' => sub {
    my $first  = Longroom->start;
    my $second = beside($first);
    $second->signal(history => 'KILL');
    my %from = map { $_ => $first->log_size($_) } qw(history pushd);
    $first->restart(qw(history pushd));
    # Both look once when they start.
    ok $first->wait_log('history', qr/serving/, undef, $from{history}), 'longroom-history is restarted';
    ok $first->wait_log('pushd', qr/following the log/, undef, $from{pushd}), 'longroom-pushd is restarted';
    unlike $first->log($_, $from{$_}), qr/publishes on/,
        "$_ does not report the killed one" for qw(history pushd);
    $_->stop for $second, $first;
};

subtest 'two buses in bus.subscribe are not reported' => sub {
    my $dir = Longroom::fresh_dir();
    my @buses = map {"ipc://$dir/bus$_.ipc"} 1, 2;
    my %both = ('bus.subscribe' => "@buses");
    my $first  = Longroom->start(settings => { %both, 'bus.publish' => $buses[0] });
    my $second = beside($first, %both, 'bus.publish' => $buses[1]);
    my $third  = beside($first);
    ok $first->wait_log($_, qr/publishes on \Q${\bus_of($third)}\E,/),
        "$_ reports a third" for qw(history pushd);
    is scalar($first->log_lines($_, qr/publishes on \Q$buses[1]\E,/)), 0,
        "$_ does not report the second" for qw(history pushd);
    is scalar($second->log_lines('history', qr/publishes on \Q$buses[0]\E,/)), 0, 'the second does not report the first';
    $_->stop for $third, $second, $first;
};

# Expects that the bus of a first is recognised as the one that pushd subscribes to.
sub recognises {
    my ($publish, $subscribe) = @_;
    my $l = Longroom->start(settings => { 'bus.publish' => $publish, 'bus.subscribe' => $subscribe });
    my $second = beside($l);
    ok $l->wait_log('pushd', qr/publishes on \Q${\bus_of($second)}\E,/), 'the other bus is reported';
    is scalar($l->log_lines('pushd', qr/publishes on \Q$publish\E,/)), 0, "$publish is not reported with $subscribe";
    $_->stop for $second, $l;
    return;
}

subtest 'a path through a link is recognised' => sub {
    my $dir = Longroom::fresh_dir();
    symlink $dir, "$dir/link" or die "symlink: $!\n";
    recognises("ipc://$dir/bus.ipc", "ipc://$dir/link/bus.ipc");
};

subtest 'a host named in another way is recognised' => sub {
    # nanomsg looks names up by getaddrinfo_a(), whose thread this sanitizer does not know.
    plan skip_all => 'nanomsg cannot look up a name under the thread sanitizer'
        if Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__tsan_init/;
    my $port = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
    recognises("tcp://127.0.0.1:$port", "tcp://localhost:$port");
};

subtest 'a second longroom-history on the same bus does not start' => sub {
    my $first = Longroom->start;
    my $result = Longroom::run([Longroom::program('longroom-history'), '-c', $first->dir . '/longroom.conf',
            '-o', 'history.listen=unix:' . $first->dir . '/second.sock']);
    is $result->{status}, 1, 'it exits with status 1';
    # nanomsg leaks an address that it cannot bind to, which a sanitizer then reports.
    like $result->{stderr}, qr/ error: bus \Q${\bus_of($first)}\E: Address already in use$/m, 'it says why';
    is $first->post('room_1', 'x')->{status}, 201, 'the first keeps running';
    is_deeply warnings_of($first, 'history'), [], 'and reports nothing';
    $first->stop;
};

subtest 'the record of writers may be removed while in use' => sub {
    my $first  = Longroom->start;
    unlink $first->database . '-writers' or diag "no record: $!";
    my $second = beside($first);
    ok $first->wait_log($_, qr/publishes on \Q${\bus_of($second)}\E,/), "$_ finds the other all the same" for qw(history pushd);
    ok $second->wait_log('history', qr/publishes on \Q${\bus_of($first)}\E,/), 'the other finds the first';
    $_->stop for $second, $first;
};

subtest 'links in place of the files beside the database are not followed' => sub {
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
    # When another one is reported, both have looked.
    my $second = beside($l);
    ok $second->wait_log('history', qr/serving/), 'another longroom-history starts';
    $_->stop_program('history') for $second, $l;
    is Longroom::slurp($victim{$_}), "not ours\n", "$_: the link's target is unchanged" for sort keys %victim;
    like $l->log('history', $from), qr/error: can't write \Q${\$l->database}\E-acknowledged: /, 'the missing record is logged';
    $_->stop for $second, $l;
};

done_testing;
