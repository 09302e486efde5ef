package Bench::Instructions;

# Instructions in user space for one delivery, counted by callgrind: a figure
# that the machine's neighbours can't touch. Two runs that differ in the number
# of messages alone; what they have in common, the start and the joining, falls
# out. The kernel's part, which is the larger one, is not in it.

use strict;
use warnings;

use Bench::Load ();

use constant MORE => 3;    # times as many messages in the second run

sub measure {
    my ($bench) = @_;
    return if !$bench->has_program('valgrind', 'valgrind');
    if (Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[atm]san_init/) {
        $bench->lacks('instructions', 'valgrind and sanitizers do not go together');
        return;
    }
    my ($waiters, $messages) = @{$bench}{qw(counted_waiters counted_messages)};
    my $group = "$waiters waiters in a room, straight, counted by callgrind";
    $bench->say("instructions: $group");
    my %count = map {
        my $class = $_;
        my ($few, $many) = map { counted($bench, $class, $waiters, $_) } $messages, MORE * $messages;
        ($class => [($many - $few) / ($waiters * $messages * (MORE - 1))]);
    } qw(Bench::Longroom Bench::Floor);
    $bench->row(id => 'instructions', group => $group, what => 'instructions a delivery', unit => 'count',
        longroom => $count{'Bench::Longroom'}, floor => $count{'Bench::Floor'}, note => 'in user space; one run');
    return;
}

sub counted {
    my ($bench, $class, $waiters, $messages) = @_;
    my $file = "$bench->{dir}/callgrind.out";
    unlink $file;
    my %database = $class eq 'Bench::Longroom' ? (database => $bench->database('counted')) : ();
    my $stand = $class->start(callgrind => { pushd => $file }, %database);
    Bench::Load::run($stand, to => 'straight', waiters => $waiters, arguments => ['--closed', "--messages=$messages"]);
    # It writes its counts when the program ends.
    $stand->end;
    my ($count) = Longroom::slurp($file) =~ /^(?:summary|totals): ([0-9]+)/m or die "callgrind has counted nothing\n";
    unlink $file;
    return $count;
}

1;
