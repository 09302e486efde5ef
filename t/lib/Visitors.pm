package Visitors;

# The users of a test's Longroom, in both modes that identify users, with the shipped
# configuration of nginx.
#
#     my $l = Visitors::start('token', {ann => {read => 'team_*', write => 'team_red'}}, %options);
#     $l->request(GET => '/rooms/team_red/messages', headers => Visitors::headers('token', 'ann'));
#
# With mode = nginx an application stands behind auth_request: a server in the same
# nginx that knows users by a cookie. With mode = token they have tokens, signed with a
# shared secret. A user may have name, type and, in a token, claims that replace
# others.

use strict;
use warnings;

use Longroom;
use Tokens;

use constant SECRET => 'a secret of no less than 32 bytes!';

my %visitors;

sub start {
    my ($mode, $visitors, %options) = @_;
    %visitors = %$visitors;
    my $dir = Longroom::fresh_dir();
    my %settings = ('auth.mode' => $mode, %{ $options{settings} || {} });
    if ($mode eq 'token') {
        Longroom::spew("$dir/key", SECRET . "\n");
        $settings{'auth.keys'} = "$dir/key";
    }
    my $nginx = $mode eq 'nginx' ? application("$dir/application.sock", $options{nginx}) : $options{nginx};
    my $l = Longroom->start(%options, settings => \%settings, nginx => $nginx);
    $l->{visitors_dir} = $dir;
    return $l;
}

# nginx's lines for the application.
sub application {
    my ($socket, $more) = @_;
    my %value;
    for my $name (keys %visitors) {
        my $visitor = $visitors{$name};
        $value{id}{$name}    = Longroom::escaped($visitor->{id} // $name);
        $value{name}{$name}  = Longroom::escaped($visitor->{name} // '');
        $value{type}{$name}  = $visitor->{type} // '';
        $value{read}{$name}  = $visitor->{read} // '';
        $value{write}{$name} = $visitor->{write} // '';
    }
    my $maps = join '', map {
        my $of = $value{$_};
        join "\n", "map \$cookie_who \$visitor_$_ {", map({qq{    $_ "$of->{$_}";}} sort keys %$of), "}\n";
    } sort keys %value;
    my $headers = join "\n", map {"    add_header Longroom-$_->[0] \$visitor_$_->[1] always;"}
        ['User-Id', 'id'], ['Username', 'name'], ['Sender-Type', 'type'], ['Read', 'read'], ['Write', 'write'];
    my $asked = asked_at($socket);
    return {
        %$asked,
        http  => "${maps}server {\n    listen unix:$socket;\n$headers\n    return 204;\n}\n" . ($more->{http} // ''),
        server => $asked->{server} . ($more->{server} // ''),
    };
}

# nginx's lines that make it ask the application at this socket.
sub asked_at {
    my ($socket) = @_;
    return {
        files  => ['longroom-auth-request.conf'],
        server => "location = /longroom-access {\n    internal;\n    proxy_pass http://unix:$socket:/;\n"
            . "    proxy_pass_request_body off;\n    proxy_set_header Content-Length \"\";\n}\n",
    };
}

# The headers of a visitor; none for an unauthenticated one.
sub headers {
    my ($mode, $who) = @_;
    return {} if !defined $who;
    return { Cookie => "who=$who" } if $mode eq 'nginx';
    return { Authorization => 'Bearer ' . token($who) };
}

# A visitor's token. Claims that are undef are left out.
sub token {
    my ($who, %claims) = @_;
    my $visitor = $visitors{$who} || {};
    my $rights = {
        read  => [split ' ', $visitor->{read} // ''],
        write => [split ' ', $visitor->{write} // ''],
        defined $visitor->{type} ? (sender_type => $visitor->{type}) : (),
    };
    my %all = (
        sub => $visitor->{id} // $who, exp => time + 3600, longroom => $rights,
        defined $visitor->{name} ? (name => $visitor->{name}) : (), %claims,
    );
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    return Tokens::token('HS256', SECRET, { alg => 'HS256', typ => 'JWT' }, \%all);
}

1;
