package Tabs;

# Which of several tabs leads, that is, follows rooms for all of them (web/leader.js): the
# one that holds the lock.

use strict;
use warnings;

use Exporter    qw(import);
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(leader_of);

my $LEADS = <<'END';
return navigator.locks.request(`self ${Math.random()}`, async (mine) => {
  const { held } = await navigator.locks.query();
  const { clientId } = held.find(({ name }) => name === mine.name);
  return held.some((lock) => lock.name.startsWith('longroom lead') && lock.clientId === clientId);
});
END

# Of these windows; asked so many times, because a tab may be about to take over.
sub leader_of {
    my ($times, @open) = @_;
    for (1 .. $times) {
        my ($leader) = grep { $_->run($LEADS) } @open;
        return $leader if $leader;
        sleep 0.05;
    }
    die "no tab leads\n";
}

1;
