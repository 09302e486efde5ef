# A first start: longroom-history and longroom-pushd start in either order, or at
# once, and neither treats what the other has yet to create as a failure.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

# What quickstart writes; see there.
sub quickstart_settings { return Longroom::settings_text($_[0]) }

# The sample, in the test's folder: every default that is a path points there.
sub default_settings {
    my ($dir) = @_;
    my $text = Longroom::slurp(Longroom::source_dir() . '/etc/longroom.conf');
    my $changed = $text =~ s{^#(\w+ = \S*?)(?:/var/lib|/run)/longroom/}{$1$dir/}gm;
    is $changed, 5, 'five paths of the sample are replaced';
    return $text;
}

# Both programs are installed, and neither has been started.
sub fresh {
    my ($settings) = @_;
    my $l = Longroom->start(without => [qw(nginx history pushd)]);
    Longroom::spew($l->dir . '/longroom.conf', $settings->($l->dir));
    return $l;
}

sub failures { my ($l) = @_; return [ map { $l->log_lines($_, qr/ (?:warning|error): /) } qw(history pushd) ] }

sub works {
    my ($l, $title) = @_;
    ok $l->wait_log('history', qr/info: serving/),        "$title: longroom-history serves";
    ok $l->wait_log('pushd',   qr/info: following the log/), "$title: longroom-pushd follows the log";
    is_deeply failures($l), [], "$title: neither program logs a failure";
    $l->stop;
    return;
}

my %settings = (
    'the defaults'            => \&default_settings,
    'the settings of quickstart' => \&quickstart_settings,
);

for my $which (sort keys %settings) {
    subtest "longroom-pushd may start first, $which" => sub {
        my $l = fresh($settings{$which});
        $l->start_program('pushd');
        ok $l->wait_log('pushd', qr/info: waiting for longroom-history: there is no log yet$/m), 'it waits for the log';
        ok $l->wait_log('pushd', qr/info: waiting for longroom-history: no publisher on the bus yet$/m),
            'and for the bus';
        $l->start_program('history');
        ok $l->wait_log('pushd', qr/info: the bus is connected$/m), 'the bus connects';
        is scalar($l->log_lines('pushd', qr/waiting for longroom-history/)), 2, 'each wait is logged once';
        works($l, $which);
    };
    subtest "longroom-history may start first, $which" => sub {
        my $l = fresh($settings{$which});
        $l->start_program($_) for qw(history pushd);
        works($l, $which);
    };
    subtest "both may start at once, $which" => sub {
        my $l = fresh($settings{$which});
        $l->_spawn($_) for qw(pushd history);
        works($l, $which);
    };
}

subtest 'a log that stays missing is a warning' => sub {
    my $l = fresh(\&quickstart_settings);
    $l->start_program('pushd');
    ok $l->wait_log('pushd', qr/warning: there is no log yet, for 10 s: /),
        'a missing log is a warning after a while';
    ok $l->wait_log('pushd', qr/warning: no publisher on the bus: /),  'so is a missing bus';
    is scalar($l->log_lines('pushd', qr/there is no log yet, for/)), 1, 'once';
    is scalar($l->log_lines('pushd', qr/ error: /)), 0, 'neither is an error';
    $l->start_program('history');
    ok $l->wait_log('pushd', qr/info: following the log/), 'when the log appears, it is followed';
    ok $l->wait_log('pushd', qr/info: the bus is connected/), 'the bus is connected';
    is scalar($l->log_lines('pushd', qr/ error: /)), 0, 'without an error';
    $l->stop;
};

subtest 'a missing folder of a socket is named' => sub {
    my $l = fresh(\&quickstart_settings);
    my $folder = $l->dir . '/run';
    my %socket = (
        pushd   => ['push.listen'    => "unix:$folder/push.sock"],
        history => ['history.listen' => "unix:$folder/history.sock"],
        bus     => ['bus.publish'    => "ipc://$folder/bus.ipc"],
    );
    for my $which (sort keys %socket) {
        my ($name, $address) = @{ $socket{$which} };
        my $program = $which eq 'pushd' ? 'pushd' : 'history';
        my $result = Longroom::run([Longroom::program("longroom-$program"), '-c', $l->dir . '/longroom.conf',
                '-o', "$name=$address"]);
        is $result->{status}, 1, "$name: the program does not start";
        like $result->{stderr}, qr/ error: (?:bus )?\Q$address\E: .*No such file or directory: make the folder \Q$folder\E, for our user$/m,
            '... and says what to do';
    }
    # The folder does not exist yet, because no program has created it.
    $l->{settings}{'bus.subscribe'} = "ipc://$folder/bus.ipc";
    $l->start_program('pushd');
    ok $l->wait_log('pushd', qr/info: waiting for longroom-history: no publisher/),
        'longroom-pushd waits for the bus to appear';
    is_deeply failures($l), [], '... which is not a failure';
    mkdir $folder or die "mkdir: $!\n";
    $l->{settings}{'bus.publish'} = "ipc://$folder/bus.ipc";
    $l->start_program('history');
    ok $l->wait_log('pushd', qr/info: the bus is connected$/m), 'it connects';
    $l->stop;
};

done_testing;
