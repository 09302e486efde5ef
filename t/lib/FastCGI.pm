package FastCGI;

# Speaks to longroom-history as a web server does, over a Longroom::Connection,
# which is then used up.

use strict;
use warnings;

use Exporter qw(import);
use Longroom;

our @EXPORT_OK = qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes);

sub record {
    my ($type, $content) = @_;
    return pack('CCnnCx', 1, $type, 1, length $content, 0) . $content;
}

sub parameter {
    my ($name, $value) = @_;
    return join '', (map { length > 127 ? pack 'N', length | 0x80000000 : pack 'C', length } $name, $value),
        $name, $value;
}

# The bytes of one request.
sub fastcgi_bytes {
    my ($method, $target, $body, $type) = @_;
    my %parameters = (
        REQUEST_METHOD => $method,
        REQUEST_URI    => $target,
        QUERY_STRING   => $target =~ /\?(.*)/s ? $1 : '',
        CONTENT_LENGTH => defined $body ? length $body : '',
        CONTENT_TYPE   => $type || (defined $body ? 'text/plain' : ''),
    );
    return join '', record(1, pack 'nCx5', 1, 0),
        record(4, join '', map { parameter($_, $parameters{$_}) } sort keys %parameters),
        record(4, ''), length($body // '') ? record(5, $body) : (), record(5, '');
}

# Asks, and waits for the answer.
sub ask_by_fastcgi {
    my ($connection, @request) = @_;
    $connection->write(fastcgi_bytes(@request));
    return fastcgi_answer($connection);
}

# The answer to a request that was written: {status, headers, content, json}, or
# undef without a whole one.
sub fastcgi_answer {
    my ($connection) = @_;
    $connection->hangs_up(60);
    my ($bytes, $out, $ended) = ($connection->bytes, '', 0);
    while (length $bytes >= 8) {
        my ($version, $type, $id, $length, $padding) = unpack 'CCnnC', $bytes;
        $out .= substr $bytes, 8, $length if $type == 6;
        $ended = 1 if $type == 3;
        substr $bytes, 0, 8 + $length + $padding, '';
    }
    return if !$ended;
    my ($head, $content) = split /\r\n\r\n/, $out, 2;
    my %headers = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } split /\r\n/, $head // '';
    my ($status) = ($headers{status} || '200') =~ /^([0-9]+)/;
    return Longroom::with_json({ status => $status, headers => \%headers, content => $content // '' });
}

1;
