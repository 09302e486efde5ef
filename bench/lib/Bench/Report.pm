package Bench::Report;
use strict; use warnings;
use JSON::PP ();
use Longroom ();
sub write { my ($dir,$results)=@_; Longroom::spew("$dir/results.json", JSON::PP->new->utf8->canonical->pretty->encode($results)); return }
1;
