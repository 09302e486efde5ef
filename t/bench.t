#!/usr/bin/perl

# The benchmark: that it measures what it says, and all of it. What its figures
# are is not for a test to say.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../bench/lib";
use Bench;
use Bench::Figures;
use Bench::Load;
use Bench::Report;
use Bench::Stand;
use Bench::Table;
use Bench::Tokens;
use JSON::PP ();
use Longroom;
use Test::More;

my $run = Longroom::source_dir() . '/bench/run';

subtest 'a figure is a median, and a ratio is of runs that followed each other' => sub {
    is(Bench::Figures::median(3, 1, 2), 2, 'the middle one of three');
    is(Bench::Figures::median(4, 1, 2, 3), 2.5, 'between the middle ones of four');
    is(Bench::Figures::median(), undef, 'none of nothing');
    # The machine was twice as slow in the second round, which is in both.
    is_deeply([Bench::Figures::ratios([10, 20], [5, 10])], [2, 2], 'a pair a run');
    is_deeply([Bench::Figures::ratios([10], undef)], [], 'nothing without the other one');
    my @order;
    my $series = Bench::Figures::alternate(2, map { my $name = $_; ($name => sub { push @order, $name; { n => scalar @order } }) } qw(a b));
    is("@order", 'a b a b', 'they take turns');
    is_deeply($series, { a => { n => [1, 3] }, b => { n => [2, 4] } }, 'and each has its own series');
};

subtest 'what is noise is told from what is a difference' => sub {
    is_deeply([Bench::Figures::interval(5, 1, 3)], [1, 5], 'of few runs: the least and the most');
    # By the table of the sign test: below the 4th of 15 values the median lies once in 57 times.
    is_deeply([Bench::Figures::interval(reverse 1 .. 15)], [4, 12], 'of 15: the 4th and the 12th');
    is_deeply([Bench::Figures::interval(1 .. 20)], [6, 15], 'of 20: the 6th and the 15th');
    is_deeply([Bench::Figures::interval()], [], 'none of nothing');
    my $ratio = sub { Bench::Table::ratio({ longroom => [@_], floor => [(100) x @_] }, 'floor') };
    is($ratio->(91, 97, 105), '0.97 (0.91 to 1.05): no difference shown', '1.00 within the spread allows no claim');
    is($ratio->(106, 108, 111), '1.08 (1.06 to 1.11)', '1.00 outside does');
    is($ratio->(98), '0.98', 'one run says what it says');
    is($ratio->(), '-', 'none says nothing');
    is(Bench::Table::ratio({ longroom => [1004, 1005], against => [1000, 1000] }, 'against'), '1.004 (1.004 to 1.005)',
        'beside another build a few thousandths are to be seen');
};

subtest 'a goal is met, missed, not shown or not measured' => sub {
    my %row = (unit => 'us', longroom => [10, 12, 11], floor => [10, 10, 10], against => [10, 12, 11]);
    my $verdict = sub { Bench::Table::verdict(Bench::Table::judge({%row}, {@_})) };
    is($verdict->(of => 'floor', most => 1.2), 'met', '1.00 to 1.20 is at most 1.20');
    is($verdict->(of => 'floor', most => 1.1), 'not shown', 'it may be at most 1.10, or not');
    is($verdict->(of => 'floor', most => 0.99), 'MISSED', 'it is not at most 0.99');
    is($verdict->(of => 'floor', least => 1), 'met', 'it is at least 1.00');
    is($verdict->(of => 'floor', least => 1.01), 'not shown', 'it may be at least 1.01');
    is($verdict->(of => 'floor', least => 1.21), 'MISSED', 'it is not at least 1.21');
    is($verdict->(of => 'longroom', most => 12), 'met', 'a limit of the figure itself');
    is($verdict->(of => 'longroom', most => 9), 'MISSED', 'which can be missed as well');
    is($verdict->(of => 'against', most => 1.03), 'met', 'a figure that wavers with the other build is no worse');
    is($verdict->(of => 'peer', most => 1), 'not measured', 'without a peer there is no saying');
    $row{longroom} = [(0) x 14, 1];
    is($verdict->(of => 'longroom', most => 0), 'met', 'one run of fifteen does not matter');
    is($verdict->(of => 'longroom', most => 0, each => 1), 'MISSED', 'but where each must do');
    is(Bench::Table::spread(\%row, 'longroom'), '0.00..1.00', 'the spread is from the least to the most');
};

subtest 'what is not installed is said once, with its package' => sub {
    my @said;
    my $bench = Bench->new(plan => 'tiny', dir => '/nowhere', log => sub { push @said, @_ });
    ok(!$bench->has_program('no-such-program', 'no-such-package'), 'it is not there') for 1, 2;
    is_deeply(\@said, ['without what needs no-such-program: the package no-such-package is not installed'], 'one line');
};

# A floor whose answers were shorter would be too low.
subtest "the floors' answers are as long as Longroom's" => sub {
    my %stands = (longroom => Bench::Longroom->start, floor => Bench::Floor->start);
    my (%poll, %post);
    for my $name (sort keys %stands) {
        my $stand = $stands{$name};
        my $poller = $stand->connect('pushd');
        my $cursor = $poller->ask(Longroom::get_bytes('/rooms/room_7/poll?timeout=0'))->{json}{cursor};
        $poller->write(Longroom::get_bytes("/rooms/room_7/poll?timeout=20&after=$cursor"));
        my $body = '{"content":"Hello","user_id":"s0","username":"sender \\"0\\""}';
        my $request = "POST /rooms/room_7/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
        $post{$name} = $stand->connect('nginx')->ask($request);
        # A floor's waiters are told by its own socket.
        $stand->connect('pushd')->ask($request) if $name eq 'floor';
        # The bytes, not what they mean.
        my $bytes = '';
        $stand->eventually(20, sub { $poller->hangs_up(0); $poller->bytes =~ /\n\z/ });
        $poll{$name} = $poller->bytes;
    }
    like($poll{$_}, qr/"content":"Hello"/, "$_ delivers the message") for sort keys %poll;
    is(length $poll{floor}, length $poll{longroom}, "a poll's answer, head and body") or diag explain \%poll;
    is($post{$_}{status}, 201, "$_ takes a POST") for sort keys %post;
    is(length $post{floor}{content} =~ s/\n\z//r, length $post{longroom}{content} =~ s/\n\z//r, "a POST's answer");
    $_->end for values %stands;
};

subtest 'a token is what is measured with it' => sub {
    my $bench = Bench->new(plan => 'tiny', dir => '/nowhere', log => sub { note @_ });
    for my $algorithm (Bench::Tokens::algorithms($bench)) {
        my $visitors = Bench::Tokens::visitors($algorithm, 3);
        my @tokens = split /\n/, Longroom::slurp($visitors->{tokens}->filename);
        my %different = map { $_ => 1 } @tokens;
        is(scalar keys %different, 3, "$algorithm: each is another");
        is(join(' ', grep { length $_ < 250 || length $_ > 400 } @tokens), '', 'of 250 to 400 bytes');
        my $stand = Bench::Longroom->start(tokens => $visitors->{tokens}->filename,
            settings => { 'auth.mode' => 'token', 'auth.keys' => $visitors->{key}->filename });
        my @said = map { $stand->request(GET => '/rooms/room_7/messages', headers => { Authorization => "Bearer $_" })->{status} } @tokens;
        is("@said", '200 200 200', 'they let in');
        is($stand->request(GET => '/rooms/room_7/messages')->{status}, 401, 'without one nobody is');
        my $found = Bench::Load::run($stand, to => 'nginx', waiters => 5, arguments => ['--closed', '--messages=3']);
        is($found->{deliveries}{count}, 15, 'longroom-load comes with them') or diag explain $found->{deliveries};
        $stand->end;
    }
};

subtest 'a run in which a message is lost has no figures' => sub {
    my $floor = Bench::Floor->start;
    # It keeps one message only: what is sent before it was taken is lost.
    my $found = eval {
        Bench::Load::run($floor, to => 'straight', waiters => 2,
            arguments => ['--messages=200', '--rate=5000', '--senders=8', '--settle=0.1']);
    };
    is($found, undef, 'nothing is returned');
    like($@, qr/no figures \([^)]*lost/, 'but what is wrong is said');
    $floor->end;
};

my %COUNTED = (
    (map { ("instructions$_" => 'longroom floor') } '', qw(-post -sqlite -page)),
    (map { ("instructions-$_" => 'longroom') } 'poll', map { ("remembered-$_", "token-$_") } qw(HS256 ES256)),
);

# Rows that stand whatever is installed, with the contestants that they compare.
my %ROWS = (
    (map { ("straight-$_-cpu" => 'longroom floor peer', "straight-$_-rate" => 'longroom floor peer') } 20, 30),
    'nginx-20-cpu'    => 'longroom floor peer',
    'nginx-20-rate'   => 'longroom floor peer',
    (map { ("open-$_" => 'longroom peer') } qw(rate p50 p99 p99_9 answer late)),
    (map { ("quiet-$_" => 'longroom floor peer') } qw(p50 p99 p99_9)),
    (map { ("post-$_" => 'longroom floor') } qw(rate p50 p99 p99_9 cpu sqlite single)),
    (map { ("post-$_" => 'longroom') } qw(fsync fsync-ms batch)),
    (map { ("token-$_-open" => 'longroom') } qw(cpu posts post-cpu)),
    (map { my $what = $_; map { ("token-$what-$_" => 'longroom') } qw(HS256 ES256) }
        qw(cpu deliveries posts post-cpu post-rate post-per-cpu)),
    (map { ("history-$_-100" => 'longroom floor', "history-$_-300" => 'longroom floor', "history-$_-flat" => 'longroom') } qw(one any)),
    (map { ("history-one-$_" => 'longroom floor', "history-any-$_" => 'longroom floor') } qw(p50 p99 p99.9)),
    'memory-user'     => 'longroom peer',
    'memory-kernel'   => 'longroom peer',
    'restart-seconds' => 'longroom',
    'restart-wrong'   => 'longroom',
    'restart-reads'   => 'longroom',
    %COUNTED,
);

subtest 'a run measures every row' => sub {
    my $dir = Longroom::fresh_dir();
    my $result = Longroom::run([$run, '--plan', 'tiny', '--dir', $dir->dirname], seconds => 600);
    is($result->{status}, 0, 'it comes to its end') or diag $result->{stderr};
    my $found = eval { JSON::PP->new->decode(Longroom::slurp("$dir/results.json")) } || { rows => [] };
    my %rows = map { $_->{id} => $_ } @{ $found->{rows} };
    my $without = $result->{stderr};
    my %left_out = (
        nchan        => scalar($without =~ /without nchan: (.*)/ && $1),
        wrk          => scalar($without =~ /without what needs wrk: (.*)/ && $1),
        ES256        => scalar($without =~ /without what needs openssl: (.*)/ && $1),
        instructions => scalar($without =~ /without (?:what needs valgrind|instructions): (.*)/ && $1),
    );
    note "left out: $_, for $left_out{$_}" for grep { $left_out{$_} } sort keys %left_out;
    for my $id (sort keys %ROWS) {
        next if $left_out{wrk} && $id =~ /^history/ || $left_out{ES256} && $id =~ /-ES256$/ || $left_out{instructions} && $id =~ /^instructions/;
        my $row = delete $rows{$id};
        my @contestants = grep { $_ ne 'peer' || !$left_out{nchan} } split ' ', $ROWS{$id};
        is(join(' ', grep { @{ $row->{$_} || [] } } qw(longroom floor peer)), "@contestants", "$id has its contestants");
        my @bad = grep { $id !~ /wrong|late|memory|reads/ && !($_ > 0) } map { @{ $row->{$_} || [] } } @contestants;
        is("@bad", '', "$id: no figure is nothing") if $row;
        $ROWS{$id} = $row;
    }
    is(join(' ', sort keys %rows), '', 'there are no other rows');
    plausible();
    said($dir, $result->{stdout}, $found);
};

sub plausible {
    for my $kind ('open', 'quiet', 'post') {
        my @quantiles = map { ref $ROWS{"$kind-$_"} ? $ROWS{"$kind-$_"}{longroom}[0] : 0 } qw(p50 p99 p99_9);
        ok($quantiles[0] <= $quantiles[1] && $quantiles[1] <= $quantiles[2], "$kind: p50, p99, p99.9 ascend");
    }
    my $share = ref $ROWS{'post-fsync'} ? $ROWS{'post-fsync'}{longroom}[0] : -1;
    ok($share > 0 && $share < 1, 'fsync takes a part of the time, and not more than all');
    cmp_ok(ref $ROWS{'post-batch'} ? $ROWS{'post-batch'}{longroom}[0] : 0, '>=', 1, 'a commit takes a message or more');
    is_deeply(ref $ROWS{'restart-wrong'} ? $ROWS{'restart-wrong'}{longroom} : undef, [0], 'a restart loses nothing');
    return;
}

# It is compared with itself. With so few requests anything may come of that; but what
# is printed, what is written and the exit status must agree.
subtest 'two builds are compared by their instructions' => sub {
    my $dir = Longroom::fresh_dir();
    my $result = Longroom::run([$run, '--plan', 'tiny', '--dir', $dir->dirname, '--only', 'instructions',
        '--against', Longroom::build_dir()], seconds => 600);
    my $found = JSON::PP->new->decode(Longroom::slurp("$dir/results.json"));
    if (!@{ $found->{rows} }) {
        like($result->{stderr}, qr/without (?:what needs valgrind|instructions): /, 'nothing can be counted here, it says');
        is($result->{status}, 1, 'and nothing is decided');
        return;
    }
    my %verdict;
    for my $row (@{ $found->{rows} }) {
        next if $row->{id} eq 'instructions-sqlite';
        is(scalar @{ $row->{against} || [] }, 1, "$row->{id}: the other build is counted too");
        my ($judgement) = Bench::Table::judgements($row);
        like($judgement->{words} // '', qr/^at most 1\.03 of the other build$/, '... and has a goal');
        $verdict{ Bench::Table::verdict($judgement) }++;
    }
    is($result->{status}, keys %verdict == 1 && $verdict{met} ? 0 : 1, 'the exit status says whether all are met')
        or diag $result->{stdout}, $result->{stderr};
    like($result->{stdout}, qr/not worse by more than 3 per cent in @{[$verdict{met} || 0]} counts/, 'the last lines say how many');
    my %of = map { $_->[0] => $_->[1] } @{ $found->{facts} };
    like($of{'other build'} // '', qr/^longroom-pushd .*, in \//, 'and which build it was');
};

subtest 'builds that were made otherwise are not compared' => sub {
    my $other = Longroom::fresh_dir();
    for my $name (qw(longroom-pushd longroom-history)) {
        symlink Longroom::program($name), "$other/$name" or die "symlink: $!\n";
    }
    Longroom::spew("$other/Makefile", "CC = tcc\nCFLAGS = -O7\n");
    my @compare = ($run, qw(--plan tiny --only instructions --dir), "$other/out", '--against');
    my $result = Longroom::run([@compare, "$other"]);
    isnt($result->{status}, 0, 'a build by another compiler is refused');
    like($result->{stderr}, qr/ by tcc -O7: build both alike/, 'with both in the message');
    $result = Longroom::run([@compare, "$other/nowhere"]);
    isnt($result->{status}, 0, 'so is a folder without programs');
    like($result->{stderr}, qr{longroom-pushd is not there: build there first}, 'with the one that lacks');
};

# Table and page have every row.
sub said {
    my ($dir, $table, $found) = @_;
    my $page = Longroom::slurp("$dir/report.html");
    my @not_in_table = grep { index($table, "  $_->{what} ") < 0 } @{ $found->{rows} };
    my @not_in_page = grep { index($page, "<tr id=\"$_->{id}\">") < 0 } @{ $found->{rows} };
    is_deeply(\@not_in_table, [], 'the table has all rows');
    is_deeply(\@not_in_page, [], 'the page has all rows');
    is(scalar(() = $page =~ /<svg/g), scalar @{ $found->{rows} }, 'and a plot of each');
    unlike($page, qr/(?:src|href)\s*=|\@import|url\(/, 'it needs nothing from outside');
    like($table, qr/^$_->[0]: \S/m, "the table says the $_->[0]") for @{ $found->{facts} };
    return;
}

subtest 'what it does not know it refuses' => sub {
    for (['--only', 'nothing'], ['--plan', 'huge'], ['more'], ['--fast']) {
        my $result = Longroom::run([$run, @$_]);
        isnt($result->{status}, 0, "@$_: refused");
        is($result->{stdout}, '', 'without a table');
    }
};

done_testing;
