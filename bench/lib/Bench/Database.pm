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
    # longroom-history creates it when it first opens the store.
    $maker->eventually(30, sub { -s $path }) or die "$path is not created\n";
    $maker->end;
    return $path;
}

# One with this many messages in this many rooms (floor_sqlite.c).
sub make_filled {
    my ($bench, $name, $count, $rooms) = @_;
    my $path = make($bench, $name);
    my $result = Longroom::run([Longroom::program('floor-sqlite'), $path, 'fill', $count, $rooms], seconds => 300);
    die "floor-sqlite: $result->{stderr}\n" if ($result->{status} // -1) != 0;
    return $path;
}

1;
