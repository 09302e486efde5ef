# A start with too few descriptors, or too little memory: it fails, and says how much
# there is and how much is needed; no program dies by a signal.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use POSIX ();
use Test::More;

my $dir = Longroom::fresh_dir();
Longroom::spew("$dir/longroom.conf", Longroom::settings_text($dir));

# Starts a program under a limit of the shell: returns {status, stderr}. A start that
# does not fail is ended.
sub start_with {
    my ($program, $limit) = @_;
    return Longroom::run(['sh', '-c', "ulimit $limit && exec timeout -s TERM 2 \"\$@\"", 'sh',
        Longroom::program("longroom-$program"), '-c', "$dir/longroom.conf"]);
}

for my $program (qw(history pushd)) {
    subtest "longroom-$program refuses to start with too few descriptors" => sub {
        for my $count (8 .. 24, 32, 48, 64, 96) {
            my $run = start_with($program, "-n $count");
            is $run->{status}, 1, "$count: it exits with status 1" or diag $run->{stderr};
            like $run->{stderr}, qr/error: the limit of open files is $count, at least \d+ are needed: raise it \(ulimit -n/,
                '... and says how many it needs';
        }
        my ($needed) = start_with($program, '-n 20')->{stderr} =~ /at least (\d+) are needed/;
        is start_with($program, '-n ' . ($needed || 0))->{status}, 124, 'with that many it runs';
    };

    subtest "longroom-$program starts with little memory, or says why not" => sub {
        plan skip_all => 'a sanitizer needs all addresses'
            if Longroom::slurp(Longroom::program("longroom-$program")) =~ /__(?:a|t)san_init/;
        my %ends;
        for my $kib (map { 10_000 * $_ } 1 .. 16) {
            my $run = start_with($program, "-v $kib");
            # The loader may fail before the program starts.
            my $how = $run->{stderr} =~ /error while loading shared libraries|failed to map/ ? 'not loaded'
                : $run->{status} == 124                                                      ? 'it runs'
                : $run->{status} == 1 && $run->{stderr} =~ /error: .*(?:ulimit|memory)/      ? 'it says why not'
                :                                                                              'badly';
            push @{ $ends{$how} }, $kib;
            diag "$kib KiB: status $run->{status}: $run->{stderr}" if $how eq 'badly';
        }
        ok !$ends{badly}, 'it runs, or exits and says why';
        ok $ends{'it says why not'}, '... at least once it says why not';
    };
}

done_testing;
