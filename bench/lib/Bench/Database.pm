package Bench::Database;

# Databases as longroom-history makes them.

use strict;
use warnings;

use Bench::Stand ();

# An empty one; returns its path.
sub make {
    my ($bench, $name) = @_;
    my $path = $bench->database($name);
    my $maker = Bench::Longroom->start(database => $path, without => [qw(nginx pushd)]);
    # It starts with its first look at the store.
    $maker->eventually(30, sub { -s $path }) or die "$path does not come to be\n";
    $maker->end;
    return $path;
}

# One with so many messages in so many rooms (floor_sqlite.c).
sub make_filled {
    my ($bench, $name, $count, $rooms) = @_;
    my $path = make($bench, $name);
    my $result = Longroom::run([Longroom::program('floor-sqlite'), $path, 'fill', $count, $rooms], seconds => 300);
    die "floor-sqlite: $result->{stderr}\n" if ($result->{status} // -1) != 0;
    return $path;
}

1;
