# The modules that need no running program, tested in C: runs the program `unit` and
# makes one stream of its groups' tests.

use strict;
use warnings;

use Cwd            ();
use File::Basename ();
use FindBin        ();
use lib "$FindBin::Bin/lib";
use Skipped        ();
use Test::More;

my $source = $ENV{LONGROOM_SOURCE} || Cwd::abs_path(File::Basename::dirname(__FILE__) . '/..');
my $unit   = ($ENV{LONGROOM_BUILD} || "$source/build") . '/unit';

plan skip_all => "there is no $unit: it is built only where cmocka is installed" if !-e $unit;

# Each group counts from 1 and announces how many tests it has.
my ($announced, $seen) = (0, 0);
open my $tests, '-|', "exec '$unit' 2>&1" or die "can't run $unit: $!\n";
while (my $line = <$tests>) {
    chomp $line;
    if ($line =~ /^1\.\.(\d+)/) {
        $announced += $1;
    }
    elsif ($line =~ /^(not )?ok \d+ (?:- )?(.*)/) {
        ok !$1, $2;
        $seen++;
    }
    elsif ($line =~ /^# (?:not )?ok - / || $line eq '') {
        next;    # a group's own result
    }
    elsif ($line =~ /^# random | longroom\[\d+\]: /) {
        note $line =~ s/^# //r;    # ... or what the programs would log
    }
    else {
        diag $line =~ s/^# //r;
    }
}
close $tests;

is $seen, $announced, 'every announced test has ended';
my $failed = grep { !$_ } Test::More->builder->summary;
is $? & 0x7f, 0, 'no signal has ended the tests';
is $? >> 8, $failed ? 1 : 0, 'the tests end without a report from a sanitizer';
done_testing;
