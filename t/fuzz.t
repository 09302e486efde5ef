# The codecs and longroom-pushd's connections with unforeseen inputs: each fuzz target
# runs over its kept corpus, and then for a few seconds over mutations of it. t/fuzz
# has the targets; `./quickstart fuzz` runs them for longer.

use strict;
use warnings;

use Cwd            ();
use File::Basename ();
use FindBin        ();
use lib "$FindBin::Bin/lib";
use Skipped        ();
use File::Temp     ();
use Test::More;

my $source  = $ENV{LONGROOM_SOURCE} || Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
my $build   = $ENV{LONGROOM_BUILD}  || "$source/build";
my $seconds = $ENV{LONGROOM_FUZZ_SECONDS} // 5;
my $seed    = 20261122;

my @targets = map { File::Basename::basename($_) } glob "$source/t/fuzz/corpus/*";
my @there   = grep { -x "$build/fuzz-$_" } @targets;
plan skip_all => "there is no $build/fuzz-*: they are built only by clang, with --enable-fuzzers"
    if !@there;

is "@there", "@targets", 'all fuzz targets were built';
note "seed $seed, $seconds s each";
for my $target (@there) {
    fuzz($target, "the kept corpus of $target", '-runs=0');
    # Zero would mean no limit.
    fuzz($target, "$seconds s of inputs for $target", "-max_total_time=$seconds") if $seconds > 0;
}
done_testing;

# New inputs go to a folder of their own, because the source may be read-only.
sub fuzz {
    my ($target, $title, $limit) = @_;
    my $place   = File::Temp->newdir('longroom-fuzz.XXXXXX', TMPDIR => 1);
    my $dict    = "$source/t/fuzz/$target.dict";
    my @command = (
        "$build/fuzz-$target", $limit, "-seed=$seed", '-max_len=1024',
        '-timeout=10', '-print_final_stats=1', "-artifact_prefix=$place/", -e $dict ? "-dict=$dict" : (),
    );
    mkdir "$place/new" or die "can't make $place/new: $!\n";
    my ($status, $output) = run(@command, "$place/new", "$source/t/fuzz/corpus/$target");

    # A missing corpus would be fuzzed from nothing.
    my ($executed) = $output =~ /^stat::number_of_executed_units: (\d+)/m;
    my @kept       = glob "$source/t/fuzz/corpus/$target/*";
    my $good       = $status == 0 && @kept && defined $executed && $executed >= @kept;
    ok $good, "$title: no crash, and every claim holds";
    note "$executed inputs" if defined $executed;
    return if $good;
    diag $output =~ s/^(?:INFO|#\d+|NEW_FUNC).*\n//mgr;
    diag "status $status, ", scalar @kept, ' kept inputs';
    diag "$_, in hex: ", hex_of($_) for grep { -f } glob "$place/*";
}

# Returns how it ended (0: success) and what it printed.
sub run {
    my @command = @_;
    my $pid = open(my $output, '-|') // die "can't fork: $!\n";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die "can't redirect: $!\n";
        exec { $command[0] } @command or die "can't run $command[0]: $!\n";
    }
    my $text = do { local $/; <$output> };
    close $output;
    return ($?, $text // '');
}

sub hex_of {
    my ($path) = @_;
    open my $file, '<:raw', $path or return "can't read $path: $!";
    return unpack 'H*', do { local $/; <$file> } // '';
}
