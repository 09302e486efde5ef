package Bench::Machine;

# Where and with what it was measured: pairs of words.

use strict;
use warnings;

use Bench::Stand ();
use Longroom     ();
use POSIX        ();

sub facts {
    my ($dir) = @_;
    return (
        [date      => POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime)],
        [Longroom  => version_of_source()],
        [processor => processor() . ', ' . Bench::Stand::cores() . ' cores'],
        [memory    => memory()],
        [kernel    => join ' ', (POSIX::uname())[0, 2, 4]],
        [system    => Longroom::slurp('/etc/os-release') =~ /^PRETTY_NAME="([^"]*)"/m ? $1 : 'unknown'],
        [disk      => file_system($dir)],
        [nginx     => first_line('nginx', '-v')],
        [nchan     => package_version('libnginx-mod-nchan')],
        [SQLite    => package_version('libsqlite3-0')],
        [libfcgi   => package_version('libfcgi0ldbl')],
        [compiler  => first_line('gcc', '--version')],
    );
}

sub version_of_source {
    my ($version) = first_line(Longroom::program('longroom-pushd'), '-V');
    my $commit = first_line('git', '-C', Longroom::source_dir(), 'describe', '--always', '--dirty');
    return $commit =~ /^[0-9a-f]/ ? "$version, $commit" : $version;
}

sub processor {
    return Longroom::slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.+)/m ? $1 : 'unknown processor';
}

sub memory {
    my ($kib) = Longroom::slurp('/proc/meminfo') =~ /^MemTotal:\s+([0-9]+)/m;
    return sprintf '%.1f GiB', $kib / 1024 / 1024;
}

sub file_system {
    my ($dir) = @_;
    my (undef, $line) = split /\n/, Longroom::run(['df', '-PT', $dir])->{stdout};
    return join ' on ', (split ' ', $line // 'unknown unknown')[1, 0];
}

# Of what it says, wherever it says it.
sub first_line {
    my (@command) = @_;
    my $result = Longroom::run(\@command);
    my ($line) = split /\n/, $result->{stdout} || $result->{stderr};
    return $line // 'unknown';
}

sub package_version {
    my ($package) = @_;
    my $result = Longroom::run(['dpkg-query', '-W', '-f', '${Version}', $package]);
    return ($result->{status} // 1) == 0 && $result->{stdout} ? $result->{stdout} : 'not installed, or not from a package';
}

1;
