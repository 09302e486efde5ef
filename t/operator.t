# What the operator sees: /healthz and /metrics of both programs, through the
# locations that are shipped for it; and that clients cannot reach them.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

# The metrics that a program's man page lists.
sub documented {
    my ($program) = @_;
    my $page = Longroom::slurp(Longroom::build_dir() . "/longroom-$program.8");
    return $page =~ /^\.It Ic longroom_${program}_(\S+)$/mg;
}

subtest '/metrics has the documented metrics' => sub {
    my $l = Longroom->start(operator => 1);
    for my $program (qw(history pushd)) {
        my $answer = $l->operator("$program/metrics");
        is $answer->{status}, 200, "$program: /metrics is served";
        is $answer->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', '... in the text format 0.0.4';
        is $answer->{headers}{'cache-control'}, 'no-store', '... and may not be stored';
        my @bad = grep { !/^# (?:HELP|TYPE) longroom_${program}_[a-z_]+ \S|^longroom_${program}_[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? [0-9.]+$|^$/ }
            split /\n/, $answer->{content};
        is "@bad", '', '... every line well formed';
        my %types = $answer->{content} =~ /^# TYPE longroom_${program}_(\S+) (\S+)$/mg;
        is_deeply [sort keys %types], [sort(documented($program))],
            '... its metrics are those of the man page';
        my %helped = map { $_ => 1 } $answer->{content} =~ /^# HELP longroom_${program}_(\S+) \S/mg;
        is_deeply [sort keys %helped], [sort keys %types], '... each with its HELP line';
        my @series = $answer->{content} =~ /^(longroom\S+(?:\{[^}]*\})?) /mg;
        my %twice;
        is join(' ', grep { $twice{$_}++ } @series), '', '... no series twice';
        is $l->operator("$program/metrics", 'HEAD')->{status}, 200, '... HEAD is allowed';
        my $post = $l->operator("$program/metrics", 'POST');
        Longroom::is_problem($post, 405, 'method-not-allowed', '... POST is not');
    }
    $l->stop;
};

subtest 'messages are counted' => sub {
    my $l = Longroom->start(operator => 1);
    my $before = $l->poll('room_1', timeout => 0)->{json}{cursor};
    $l->post('room_1', 'one', client_id => 'a');
    $l->post('room_1', 'one', client_id => 'a');
    $l->post('room_1', 'other', client_id => 'a');
    $l->post('general', 'nowhere kept');
    $l->post('room_1', ' ');
    $l->history('room_1');
    my $history = $l->metrics('history');
    is $history->{'messages_total{outcome="saved"}'},    1, 'one was saved';
    is $history->{'messages_total{outcome="repeated"}'}, 1, 'one was repeated';
    is $history->{'messages_total{outcome="conflict"}'}, 1, 'one had another content';
    is $history->{'messages_total{outcome="unsaved"}'},  1, 'one was only broadcast';
    is $history->{'messages_total{outcome="failed"}'},   0, 'none failed';
    is $history->{'refusals_total{type="empty-content",status="400"}'}, 1, 'one was refused for being empty';
    is $history->{'refusals_total{type="conflict",status="422"}'},      1, 'and one for the conflict';
    is $history->{'reads_total'}, 2, 'the repeated one and the page were read';
    is $history->{'batch_messages_count'}, 3, 'three transactions';
    is $history->{'batch_messages_bucket{le="1"}'}, 3, 'of one message each';
    is $history->{'commit_seconds_count'}, 3, 'each commit was timed';
    cmp_ok $history->{'commit_seconds_sum'}, '>', 0, 'and took some time';
    is $history->{'frames_total'}, 2, 'two frames were published';
    is $history->{'busy_threads'}, 1, 'one thread is busy: with this answer';
    is $history->{'queued_messages'}, 0, 'nothing waits to be saved';

    is_deeply $l->message_contents($l->poll('room_1', after => $before, timeout => 20)), ['one'], 'a poll gets it';
    $l->poll('room_1', timeout => 0);
    $l->poll('room_1', after => 'x');
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'window_messages'} == 2 }), 'two are in the window';
    my $pushd = $l->metrics('pushd');
    is $pushd->{'messages_total{source="bus"}'} + $pushd->{'messages_total{source="log"}'}, 2,
        'they came from the bus or the log';
    cmp_ok $pushd->{'window_bytes'}, '>', 100, 'the window has a size';
    is $pushd->{'answers_total'},    1, 'one answer had messages';
    is $pushd->{'deliveries_total'}, 1, 'one';
    cmp_ok $pushd->{'empty_answers_total'}, '>=', 2, 'some had none';
    is $pushd->{'refusals_total{type="bad-cursor",status="400"}'}, 1, 'one was refused';
    is $pushd->{'log_reads_total{kind="tail"}'}, 1, 'the window was filled once';
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'bus_connected'} }), 'the bus is connected';
    $l->stop;
};

subtest 'waiting clients are counted' => sub {
    my $l = Longroom->start(operator => 1);
    my @waiting = map { $l->connect('pushd') } 1 .. 5;
    $_->write(Longroom::get_bytes('/rooms/room_1/poll')) for @waiting;
    my $half = $l->connect('pushd');
    $half->write('GET /rooms/room_1');
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 5 }), 'five wait';
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="head"}'} >= 2 }),
        'one connection has sent half a head, beside the one that asks';
    is $l->metrics('pushd')->{'rooms'}, 1, 'in one room';
    $l->post('room_1', 'x');
    ok $_->answer(20), 'a poll is answered' for @waiting;
    my $pushd = $l->metrics('pushd');
    is $pushd->{'deliveries_total'}, 5, 'five deliveries';
    is $pushd->{'connections{state="waiting"}'}, 0, 'no poll waits any more';
    $l->stop;
};

subtest '/healthz reports failures' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'store.busy_timeout' => '100ms' });
    my $history = sub { return $l->operator('history/healthz') };
    my $pushd   = sub { return $l->operator('pushd/healthz') };
    is_deeply $history->()->{json}, { status => 'ok', reads => JSON::PP::true, writes => JSON::PP::true },
        'longroom-history is healthy';
    ok $l->eventually(20, sub { $pushd->()->{json}{bus} }), 'longroom-pushd is connected to the bus';
    my $json = $pushd->()->{json};
    is delete $json->{lag_seconds}, 0, '... and has everything in the log';
    is_deeply $json, { status => 'ok', reads => JSON::PP::true, follows => JSON::PP::true, bus => JSON::PP::true,
        ending => JSON::PP::false }, '... and is healthy';
    my $newest = $l->post('room_1', 'x')->{json}{id};
    $history->() for 1 .. 3;
    is $l->post('room_1', 'y')->{json}{id}, $newest + 1, 'the check for writing leaves no trace in the log';

    $l->signal('history', 'STOP');
    is $pushd->()->{status}, 200, 'longroom-pushd is healthy while longroom-history is stopped';
    $l->signal('history', 'CONT');

    $l->stop_program('pushd');
    is $history->()->{status}, 200, 'and the other way round';
    $l->start_program('pushd');

    my $unlock = $l->lock_database;
    my $locked = $history->();
    is $locked->{status}, 503, 'while another program locks the database, longroom-history is unhealthy';
    is_deeply [@{ $locked->{json} }{qw(status reads writes)}], ['failing', JSON::PP::true, JSON::PP::false],
        '... and says that it can read but not write';
    is $pushd->()->{status}, 200, '... longroom-pushd only reads';
    $unlock->();
    is $history->()->{status}, 200, 'when the lock is gone, it is healthy';

    my $database = $l->database;
    rename $database, "$database.away" or die "rename: $!\n";
    mkdir $database or die "mkdir: $!\n";
    my $gone = $history->();
    is $gone->{status}, 503, 'with a folder in place of the database, longroom-history is unhealthy';
    is_deeply [@{ $gone->{json} }{qw(reads writes)}], [(JSON::PP::false) x 2], '... it can neither read nor write';
    ok $l->eventually(20, sub { $pushd->()->{status} == 503 }), '... longroom-pushd is unhealthy too';
    is $pushd->()->{json}{reads}, JSON::PP::false, '... and says that it cannot read';
    rmdir $database;
    rename "$database.away", $database or die "rename: $!\n";
    ok $l->eventually(20, sub { $history->()->{status} == 200 }),
        'with the database back, longroom-history is healthy';
    ok $l->eventually(20, sub { $pushd->()->{status} == 200 }), '... and so is longroom-pushd';
    $l->stop;
};

subtest 'clients cannot reach health and metrics' => sub {
    my $l = Longroom->start(operator => 1);
    for my $path (qw(/metrics /healthz /rooms/metrics /rooms/healthz /rooms/../metrics /rooms/room_1/../../metrics
        //metrics /metrics/ /rooms//metrics /rooms/%2e%2e/metrics /rooms/x/messages/../../../metrics
        /rooms/..%2fmetrics /metrics?/rooms/room_1/poll /metrics%3f/rooms/room_1/poll
        /rooms/room_1/poll/../../../metrics /history/metrics /pushd/metrics), '/metrics#/rooms/room_1/poll') {
        my $answer = $l->request(GET => $path);
        cmp_ok $answer->{status}, '>=', 400, "$path is refused";
        unlike $answer->{content}, qr/longroom_|"reads"/, '... and reveals nothing';
    }
    my $answer = $l->request(GET => '/rooms/../metrics/../rooms/room_1/poll?timeout=0');
    unlike $answer->{content}, qr/longroom_/, 'a detour reveals nothing either';
    $l->stop;
};

done_testing;
