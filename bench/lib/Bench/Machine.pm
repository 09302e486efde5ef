package Bench::Machine;

# Where and with what the figures were taken: pairs of words.

use strict;
use warnings;

use Bench::Stand ();
use Longroom     ();
use POSIX        ();

sub facts {
    my ($dir, $against) = @_;
    return (
        [date      => POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime)],
        [Longroom  => version(Longroom::build_dir(), Longroom::source_dir())],
        $against ? (['other build' => version($against, $against) . ", in $against"]) : (),
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
        ['built by' => built_by(Longroom::build_dir())],
    );
}

# The commit is that of the checkout now, whenever it was built.
sub version {
    my ($build, $source) = @_;
    my $version = first_line("$build/longroom-pushd", '-V');
    my $result = Longroom::run(['git', '-C', $source, 'describe', '--always', '--dirty']);
    my ($commit) = $result->{stdout} =~ /^([0-9A-Za-z]\S*)/;
    return $commit ? "$version, $commit" : $version;
}

# The compiler and its options, as configure recorded them.
sub built_by {
    my ($build) = @_;
    my $makefile = Longroom::slurp("$build/Makefile");
    return join ' ', map { $makefile =~ /^$_ = (.*)/m ? $1 : () } qw(CC CFLAGS);
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

# From the output, stdout or stderr.
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
