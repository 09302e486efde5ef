# A short torture (t/torture): programs killed, stopped, starved and restarted under
# load, and every promise kept. Longer runs are started by hand.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

my $seed = $ENV{LONGROOM_SEED} || 1 + int rand 1_000_000;
my $torture = Longroom::run([$^X, "$FindBin::Bin/torture", '--minutes', '0.35', '--seed', $seed, '--no-restore'], seconds => 300);
is $torture->{status}, 0, "20 s of faults, seed $seed: nothing lost, doubled or out of order, no client hung"
    or diag $torture->{stdout}, $torture->{stderr};
my ($faults) = $torture->{stdout} =~ /^torture: faults: (.*)/m;
my %faults = map { /(.*) ([0-9]+)/ } split /, /, $faults // '';
cmp_ok $faults{"$_ KILL"} || 0, '>=', 1, "$_ was killed" for qw(history pushd nginx);
my ($delivered) = $torture->{stdout} =~ /\bsaved delivered ([0-9]+)/;
cmp_ok $delivered // 0, '>', 1000, 'messages were delivered throughout';
my %seen = map { /(.*) ([0-9]+)/ } split /, /, ($torture->{stdout} =~ /^torture: seen: (.*)/m)[0] // '';
cmp_ok $seen{asked_and_left} || 0, '>', 100, 'clients sent requests and hung up at once';
cmp_ok $seen{$_} || 0, '>', 50, "$_ throughout" for qw(stream_200 poll_200);
cmp_ok $seen{$_} || 0, '>=', 1, "$_: it came" for qw(streams_left_in_an_event streams_unread rooms_taken_in rooms_left);
cmp_ok $seen{costly_400} || 0, '>=', 1, 'expensive bodies were sent, and refused';
# It notices losses: without the rule that repairs what the bus lost, it fails. Whether
# a frame is lost depends on the moment of a kill: one run of four had none.
my $without;
for my $try (0 .. 3) {
    my $dir = Longroom::fresh_dir();
    $without = Longroom::run([$^X, "$FindBin::Bin/torture", '--minutes', '0.5', '--every', '0.6', '--seed', $seed + $try,
        '--no-restore', '--pushd', 'pushd-without-repair', '--dir', "$dir"], seconds => 300);
    last if ($without->{status} // -1) != 0;
}
is $without->{status}, 1, 'the torture fails a longroom-pushd that does not read the log to repair a hole';
# Its pollers notice, or the clients of the load beside them.
like $without->{stdout}, qr/^torture: (?:BREACH: |PROBLEM: longroom-load found )lost/m, '... which has lost messages'
    or diag $without->{stdout}, $without->{stderr};

# Enough faults that each kind comes at least once.
my $restored = Longroom::run([$^X, "$FindBin::Bin/torture", '--minutes', '0.5', '--every', '0.8', '--seed', $seed, '--restore'], seconds => 300);
is $restored->{status}, 0, 'with backups restored: losses are reported, nothing else is lost'
    or diag $restored->{stdout}, $restored->{stderr};
like $restored->{stdout}, qr/^torture: faults: .*backup restored [1-9]/m, '... and a backup was restored';
done_testing;
