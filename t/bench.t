#!/usr/bin/perl

# The benchmark measures what it claims to, and all of it. The figures themselves are
# not for a test to judge.

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

subtest 'a figure is a median, and a ratio compares consecutive runs' => sub {
    is(Bench::Figures::median(3, 1, 2), 2, 'the middle one of three');
    is(Bench::Figures::median(4, 1, 2, 3), 2.5, 'halfway between the middle two of four');
    is(Bench::Figures::median(), undef, 'undefined for no values');
    # The machine was twice as slow in the second round, for both.
    is_deeply([Bench::Figures::ratios([10, 20], [5, 10])], [2, 2], 'one ratio for each run');
    is_deeply([Bench::Figures::ratios([10], undef)], [], 'none without the other series');
    my @order;
    my $series = Bench::Figures::alternate(2, map { my $name = $_; ($name => sub { push @order, $name; { n => scalar @order } }) } qw(a b));
    is("@order", 'a b a b', 'the contestants alternate');
    is_deeply($series, { a => { n => [1, 3] }, b => { n => [2, 4] } }, 'each has its own series');
};

subtest 'noise is told from a difference' => sub {
    is_deeply([Bench::Figures::interval(5, 1, 3)], [1, 5], 'few runs: the minimum and the maximum');
    # By the table of the sign test: the median is below the 4th of 15 values once in 57 times.
    is_deeply([Bench::Figures::interval(reverse 1 .. 15)], [4, 12], 'of 15: the 4th and the 12th');
    is_deeply([Bench::Figures::interval(1 .. 20)], [6, 15], 'of 20: the 6th and the 15th');
    is_deeply([Bench::Figures::interval()], [], 'no values: no interval');
    my $ratio = sub { Bench::Table::ratio({ longroom => [@_], floor => [(100) x @_] }, 'floor') };
    is($ratio->(91, 97, 105), '0.97 (0.91 to 1.05): no difference shown', '1.00 within the spread allows no claim');
    is($ratio->(106, 108, 111), '1.08 (1.06 to 1.11)', '1.00 outside does');
    is($ratio->(98), '0.98', 'one run has no spread');
    is($ratio->(), '-', 'no run has no ratio');
    is(Bench::Table::ratio({ longroom => [1004, 1005], against => [1000, 1000] }, 'against'), '1.004 (1.004 to 1.005)',
        'against another build, thousandths are shown');
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
    is($verdict->(of => 'longroom', most => 9), 'MISSED', 'and is missed');
    is($verdict->(of => 'against', most => 1.03), 'met', 'a figure within the noise of the other build is no worse');
    is($verdict->(of => 'peer', most => 1), 'not measured', 'without a peer there is no verdict');
    $row{longroom} = [(0) x 14, 1];
    is($verdict->(of => 'longroom', most => 0), 'met', 'one run of fifteen may exceed the limit');
    is($verdict->(of => 'longroom', most => 0, each => 1), 'MISSED', 'unless each run must meet it');
    is(Bench::Table::spread(\%row, 'longroom'), '0.00..1.00', 'the spread is from the minimum to the maximum');
};

subtest 'a missing program is reported once, with its package' => sub {
    my @said;
    my $bench = Bench->new(plan => 'tiny', dir => '/nowhere', log => sub { push @said, @_ });
    ok(!$bench->has_program('no-such-program', 'no-such-package'), 'it is not there') for 1, 2;
    is_deeply(\@said, ['without what needs no-such-program: the package no-such-package is not installed'], 'one line');
};

# A floor with shorter answers would be too low.
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
        # A floor's waiters are notified through its own socket.
        $stand->connect('pushd')->ask($request) if $name eq 'floor';
        # Compares the bytes, not the meaning.
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

# The same of events.
subtest "the floor's events are as long as Longroom's" => sub {
    my $bench = Bench->new(plan => 'tiny', dir => '/nowhere', log => sub { note @_ });
    plan skip_all => 'this build has no streams' if !$bench->has_streams(Longroom::build_dir());
    my %stands = (longroom => Bench::Longroom->start, floor => Bench::EventsFloor->start);
    my %event;
    for my $name (sort keys %stands) {
        my $stand = $stands{$name};
        my $stream = $stand->connect('pushd');
        $stream->write(Longroom::get_bytes('/rooms/room_7/events'));
        my $bytes = sub { $stream->hangs_up(0); return $stream->bytes };
        ok($stand->eventually(20, sub { $bytes->() =~ /^event: ready\n/m }), "$name begins a stream") or diag $bytes->();
        my $body = '{"content":"Hello","user_id":"s0","username":"sender \\"0\\""}';
        my $request = "POST /rooms/room_7/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
        $stand->connect($name eq 'floor' ? 'pushd' : 'nginx')->ask($request);
        $stand->eventually(20, sub { ($event{$name}) = $bytes->() =~ /^(id: \S+\ndata: \{.*?\}\n\n)/ms });
        like($event{$name} // '', qr/"content":"Hello"/, "$name delivers the message");
        $stream->close;
    }
    is(length $event{floor}, length $event{longroom}, 'an event, with its id') or diag explain \%event;
    $_->end for values %stands;
};

subtest 'the tokens of the benchmark are realistic' => sub {
    my $bench = Bench->new(plan => 'tiny', dir => '/nowhere', log => sub { note @_ });
    for my $algorithm (Bench::Tokens::algorithms($bench)) {
        my $visitors = Bench::Tokens::visitors($algorithm, 3);
        my @tokens = split /\n/, Longroom::slurp($visitors->{tokens}->filename);
        my %different = map { $_ => 1 } @tokens;
        is(scalar keys %different, 3, "$algorithm: each token is different");
        is(join(' ', grep { length $_ < 250 || length $_ > 400 } @tokens), '', 'each has 250 to 400 bytes');
        my $stand = Bench::Longroom->start(tokens => $visitors->{tokens}->filename,
            settings => { 'auth.mode' => 'token', 'auth.keys' => $visitors->{key}->filename });
        my @said = map { $stand->request(GET => '/rooms/room_7/messages', headers => { Authorization => "Bearer $_" })->{status} } @tokens;
        is("@said", '200 200 200', 'they are accepted');
        is($stand->request(GET => '/rooms/room_7/messages')->{status}, 401, 'a request without a token is refused');
        my $found = Bench::Load::run($stand, to => 'nginx', waiters => 5, arguments => ['--closed', '--messages=3']);
        is($found->{deliveries}{count}, 15, 'longroom-load uses them') or diag explain $found->{deliveries};
        $stand->end;
    }
};

subtest 'a run in which a message is lost has no figures' => sub {
    my $floor = Bench::Floor->start;
    # It keeps one message only: messages sent before that one was taken are lost.
    my $found = eval {
        Bench::Load::run($floor, to => 'straight', waiters => 2,
            arguments => ['--messages=200', '--rate=5000', '--senders=8', '--settle=0.1']);
    };
    is($found, undef, 'nothing is returned');
    like($@, qr/no figures \([^)]*lost/, 'the error says what is wrong');
    $floor->end;
};

my %COUNTED = (
    (map { ("instructions$_" => 'longroom floor') } '', qw(-stream -post -sqlite -page)),
    (map { ("instructions-$_" => 'longroom') } qw(poll post-data presence), map { ("remembered-$_", "token-$_") } qw(HS256 ES256)),
);

# Rows that exist whatever is installed, with the contestants that they compare.
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
    (map { ("streams-straight-20-$_" => 'longroom floor peer', "streams-nginx-20-$_" => 'longroom floor peer polls') } qw(cpu rate)),
    (map { ("streams-memory-$_" => 'longroom peer') } qw(user kernel)),
    (map { ("listed-$_" => 'longroom') } qw(memory cpu single times)),
    (map { ("streams-restart-$_" => 'longroom') } qw(seconds message wrong reads)),
    (map { my $what = $_; map { ("signals-$what$_" => 'longroom') } qw(polls streams) } '', qw(messages- times- answer-)),
    'restart-seconds' => 'longroom',
    'restart-wrong'   => 'longroom',
    'restart-reads'   => 'longroom',
    %COUNTED,
);

subtest 'a run measures every row' => sub {
    my $dir = Longroom::fresh_dir();
    my $result = Longroom::run([$run, '--plan', 'tiny', '--dir', $dir->dirname], seconds => 600);
    is($result->{status}, 0, 'it completes') or diag $result->{stderr};
    my $found = eval { JSON::PP->new->decode(Longroom::slurp("$dir/results.json")) } || { rows => [] };
    my %rows = map { $_->{id} => $_ } @{ $found->{rows} };
    my $without = $result->{stderr};
    my %left_out = (
        nchan        => scalar($without =~ /without nchan: (.*)/ && $1),
        wrk          => scalar($without =~ /without what needs wrk: (.*)/ && $1),
        ES256        => scalar($without =~ /without what needs openssl: (.*)/ && $1),
        instructions => scalar($without =~ /without (?:what needs valgrind|instructions): (.*)/ && $1),
        streams      => scalar($without =~ /without event streams: (.*)/ && $1),
        lists        => scalar($without =~ /without several rooms in a request: (.*)/ && $1),
    );
    note "left out: $_, for $left_out{$_}" for grep { $left_out{$_} } sort keys %left_out;
    for my $id (sort keys %ROWS) {
        next if $left_out{streams} && $id =~ /stream|^listed/ || $left_out{lists} && $id =~ /^listed/;
        next if $left_out{wrk} && $id =~ /^history/ || $left_out{ES256} && $id =~ /-ES256$/ || $left_out{instructions} && $id =~ /^instructions/;
        my $row = delete $rows{$id};
        my @contestants = grep { $_ ne 'peer' || !$left_out{nchan} } split ' ', $ROWS{$id};
        is(join(' ', grep { @{ $row->{$_} || [] } } qw(longroom floor peer polls)), "@contestants", "$id has its contestants");
        my @bad = grep { $id !~ /wrong|late|memory|reads/ && !($_ > 0) } map { @{ $row->{$_} || [] } } @contestants;
        is("@bad", '', "$id: every figure has a value") if $row;
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
    ok($share > 0 && $share < 1, 'fsync takes more than none and less than all of the time');
    cmp_ok(ref $ROWS{'post-batch'} ? $ROWS{'post-batch'}{longroom}[0] : 0, '>=', 1, 'a commit has one message or more');
    for my $wrong ('restart-wrong', grep { ref $ROWS{$_} } 'streams-restart-wrong') {
        is_deeply(ref $ROWS{$wrong} ? $ROWS{$wrong}{longroom} : undef, [0], "$wrong: a restart loses nothing");
    }
    return;
}

# The build is compared with itself. With so few requests any result may come of it;
# but the output, the file and the exit status must agree.
subtest 'two builds are compared by their instructions' => sub {
    my $dir = Longroom::fresh_dir();
    my $result = Longroom::run([$run, '--plan', 'tiny', '--dir', $dir->dirname, '--only', 'instructions',
        '--against', Longroom::build_dir()], seconds => 600);
    my $found = JSON::PP->new->decode(Longroom::slurp("$dir/results.json"));
    if (!@{ $found->{rows} }) {
        like($result->{stderr}, qr/without (?:what needs valgrind|instructions): /,
            'it says that it cannot count here');
        is($result->{status}, 1, 'there is no verdict');
        return;
    }
    my %verdict;
    for my $row (@{ $found->{rows} }) {
        next if $row->{id} =~ /^instructions-(?:sqlite|post-data|presence)$/;
        is(scalar @{ $row->{against} || [] }, 1, "$row->{id}: the other build is counted too");
        my ($judgement) = Bench::Table::judgements($row);
        like($judgement->{words} // '', qr/^at most 1\.03 of the other build$/, '... and has a goal');
        $verdict{ Bench::Table::verdict($judgement) }++;
    }
    is($result->{status}, keys %verdict == 1 && $verdict{met} ? 0 : 1, 'the exit status says whether all are met')
        or diag $result->{stdout}, $result->{stderr};
    like($result->{stdout}, qr/not worse by more than 3 per cent in @{[$verdict{met} || 0]} counts/, 'the last lines say how many');
    my %of = map { $_->[0] => $_->[1] } @{ $found->{facts} };
    like($of{'other build'} // '', qr/^longroom-pushd .*, in \//, 'and name the other build');
};

subtest 'builds made with other compilers or flags are not compared' => sub {
    my $other = Longroom::fresh_dir();
    for my $name (qw(longroom-pushd longroom-history)) {
        symlink Longroom::program($name), "$other/$name" or die "symlink: $!\n";
    }
    Longroom::spew("$other/Makefile", "CC = tcc\nCFLAGS = -O7\n");
    my @compare = ($run, qw(--plan tiny --only instructions --dir), "$other/out", '--against');
    my $result = Longroom::run([@compare, "$other"]);
    isnt($result->{status}, 0, 'a build by another compiler is refused');
    like($result->{stderr}, qr/ by tcc -O7: build both alike/, 'the message names both');
    $result = Longroom::run([@compare, "$other/nowhere"]);
    isnt($result->{status}, 0, 'so is a folder without programs');
    like($result->{stderr}, qr{longroom-pushd is not there: build there first}, 'the message names what is missing');
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
    unlike($page, qr/(?:src|href)\s*=|\@import|url\(/, 'it loads nothing from elsewhere');
    like($table, qr/^$_->[0]: \S/m, "the table says the $_->[0]") for @{ $found->{facts} };
    return;
}

subtest 'unknown arguments are refused' => sub {
    for (['--only', 'nothing'], ['--plan', 'huge'], ['more'], ['--fast']) {
        my $result = Longroom::run([$run, @$_]);
        isnt($result->{status}, 0, "@$_: refused");
        is($result->{stdout}, '', 'no table is printed');
    }
};

done_testing;
