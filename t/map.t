# The map in HACKING: every file stands in it once, and arrows point one way. And no
# file is too long, and no static function's name stands in two files.
#
# A room includes itself and rooms that stand before it in the map, of common/ or of
# the same program. Within a room modules form no circle: a module is the files that
# share a name, as cursor.c and cursor.h.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Copy     ();
use File::Find     ();
use File::Path     qw(make_path);
use File::Spec     ();
use FindBin        ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

use constant LINES_MAX => 600;

my $source = $ENV{LONGROOM_SOURCE} || "$FindBin::Bin/..";
my @PROGRAMS = qw(common fcgi-history pushd token load bench tools);

# "    name, name  what they are" below "room/  what it is".
sub rooms_of {
    my ($root) = @_;
    my (@rooms, $room);
    for my $line (split /\n/, Longroom::slurp("$root/HACKING")) {
        if ($line =~ m{^([a-z][a-z/-]*)/(?:\s|$)}) {
            push @rooms, $room = { name => $1, modules => {} };
        } elsif ($room && $line =~ /^ {4}([a-z].*?)(?: {2,}|$)/) {
            $room->{modules}{$_}++ for grep { length } split /,\s*/, $1;
        } elsif ($line =~ /^[^\s-]/) {
            undef $room;
        }
    }
    return @rooms;
}

sub files_of {
    my ($root) = @_;
    my @files;
    File::Find::find({ no_chdir => 1, wanted => sub { push @files, File::Spec->abs2rel($_, $root) if /\.(?:[ch]|def)$/ } },
        grep { -d } map {"$root/$_"} @PROGRAMS);
    return sort @files;
}

sub module_of { my ($file) = @_; return basename($file) =~ s/\.[a-z]+$//r }

# Returns what is wrong with the map.
sub misplaced {
    my ($rooms, @files) = @_;
    my %room = map { $_->{name} => $_ } @$rooms;
    my (@found, %there);
    for my $file (@files) {
        my ($place, $module) = (dirname($file), module_of($file));
        push @found, "$file is not in the map" if !$room{$place} || !$room{$place}{modules}{$module};
        $there{"$place/$module"} = 1;
    }
    for my $room (@$rooms) {
        for my $module (sort keys %{ $room->{modules} }) {
            push @found, "$room->{name}/$module is in the map, but is not there" if !$there{"$room->{name}/$module"};
            push @found, "$room->{name}/$module is in the map more than once" if $room->{modules}{$module} > 1;
        }
    }
    return @found;
}

# Returns [from, to] for each include, both as files.
sub arrows {
    my ($root, @files) = @_;
    my %is_file = map { $_ => 1 } @files;
    my @arrows;
    for my $from (@files) {
        my ($program) = split m{/}, $from;
        for my $name (Longroom::slurp("$root/$from") =~ /^#include "([^"]+)"/mg) {
            my ($to) = grep { $is_file{$_} } dirname($from) . "/$name", "$program/$name", "common/$name";
            push @arrows, [$from, $to // $name];
        }
    }
    return @arrows;
}

sub upward {
    my ($rooms, @arrows) = @_;
    my %rank = map { $rooms->[$_]{name} => $_ } 0 .. $#$rooms;
    return map {
        my ($from, $to) = @$_;
        my ($above, $below) = map { dirname($_) } $from, $to;
        my $is_good = $above eq $below
            || defined $rank{$above} && defined $rank{$below} && $rank{$below} < $rank{$above}
            && grep { $_ eq (split m{/}, $below)[0] } 'common', (split m{/}, $above)[0];
        $is_good ? () : "$from includes $to, which does not stand below it";
    } @arrows;
}

# The modules that can be reached from one, within its room.
sub reached {
    my ($uses, $from) = @_;
    my (%seen, @next);
    @next = keys %{ $uses->{$from} };
    while (defined(my $module = shift @next)) {
        push @next, keys %{ $uses->{$module} || {} } if !$seen{$module}++;
    }
    return \%seen;
}

sub circles {
    my (@arrows) = @_;
    my %uses;
    for (@arrows) {
        my ($from, $to) = map { dirname($_) . '/' . module_of($_) } @$_;
        $uses{$from}{$to} = 1 if $from ne $to && dirname($from) eq dirname($to);
    }
    my %reached = map { $_ => reached(\%uses, $_) } keys %uses;
    my %circles;
    for my $module (grep { $reached{$_}{$_} } keys %uses) {
        $circles{ join ' ', sort grep { $reached{$_} && $reached{$_}{$module} } keys %{ $reached{$module} } } = 1;
    }
    return map {"in a circle: $_"} sort keys %circles;
}

# What is too large, and static functions of the programs with a name that stands in two
# files.
sub unwieldy {
    my ($root, @files) = @_;
    my (@found, %places);
    for my $file (grep {/\.[ch]$/} @files) {
        my $text = Longroom::slurp("$root/$file");
        my $lines = $text =~ tr/\n//;
        push @found, "$file has $lines lines: more than " . LINES_MAX if $lines > LINES_MAX;
        next if $file !~ m{^(?:common|fcgi-history|pushd|token)/.*\.c$};
        $places{$_}{$file} = 1 for $text =~ /^static [^;=({]*?\b(\w+)\(/mg;
    }
    for my $name (sort keys %places) {
        my @places = sort keys %{ $places{$name} };
        push @found, "$name() is in @places" if @places > 1;
    }
    return @found;
}

sub faults {
    my ($root) = @_;
    my @rooms  = rooms_of($root);
    my @files  = files_of($root);
    my @arrows = arrows($root, @files);
    return misplaced(\@rooms, @files), upward(\@rooms, @arrows), circles(@arrows), unwieldy($root, @files);
}

cmp_ok scalar(rooms_of($source)), '>', 8, 'there is a map';
my @faults = faults($source);
is scalar @faults, 0,
    'every file is in the map once, no arrow points up, and no modules form a circle' or diag join "\n", @faults;

# ---------------------------------------------------------------- faults that must be found

sub copy_of_source {
    my $copy = Longroom::fresh_dir();
    for my $file ('HACKING', files_of($source)) {
        make_path(dirname("$copy/$file"));
        File::Copy::copy("$source/$file", "$copy/$file") or die "$file: $!\n";
    }
    return $copy;
}

sub changed {
    my ($change) = @_;
    my $copy = copy_of_source();
    $change->("$copy");
    return [faults("$copy")];
}

sub append { my ($file, $text) = @_; Longroom::spew($file, Longroom::slurp($file) . $text); return }

my %wrongs = (
    'an arrow that points up' => [sub { append("$_[0]/common/base/number.c", qq(#include "store/store.h"\n)) },
        qr{^common/base/number\.c includes common/store/store\.h, which}],
    'an arrow into another program' => [sub { append("$_[0]/pushd/main.c", qq(#include "../token/make.h"\n)) },
        qr{^pushd/main\.c includes \.\./token/make\.h, which}],
    'a circle' => [sub { append("$_[0]/common/base/list.h", qq(#include "base/users.h"\n)) },
        qr{^in a circle: common/base/list common/base/users$}],
    'a file that the map lacks' => [sub { append("$_[0]/common/base/list.h", ''); Longroom::spew("$_[0]/common/base/new.h", '') },
        qr{^common/base/new\.h is not in the map$}],
    'a file that is gone'   => [sub { unlink "$_[0]/common/base/hash.c", "$_[0]/common/base/hash.h" },
        qr{^common/base/hash is in the map, but is not there$}],
    'a file that is too long' => [sub { append("$_[0]/common/base/hash.c", "\n" x 600) }, qr{^common/base/hash\.c has [0-9]+ lines}],
    'a static name in two files' => [sub { append("$_[0]/common/base/$_.c", "static int same(void)\n{\n}\n") for qw(hash utf8) },
        qr{^same\(\) is in common/base/hash\.c common/base/utf8\.c$}],
);
for my $what (sort keys %wrongs) {
    my ($change, $said) = @{ $wrongs{$what} };
    my $found = changed($change);
    is scalar(grep { /$said/ } @$found), 1, "$what is found" or diag join "\n", @$found;
}
done_testing;
