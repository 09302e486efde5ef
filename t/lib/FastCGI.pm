package FastCGI;

# Speaks to longroom-history as a web server does, over a Longroom::Connection, which
# cannot be used again.

use strict;
use warnings;

use Exporter qw(import);
use Longroom;

our @EXPORT_OK = qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes fastcgi_record);

# A record of request 1, or of another one.
sub fastcgi_record {
    my ($type, $content, $request) = @_;
    return pack('CCnnCx', 1, $type, $request // 1, length $content, 0) . $content;
}

sub parameter {
    my ($name, $value) = @_;
    return join '', (map { length > 127 ? pack 'N', length | 0x80000000 : pack 'C', length } $name, $value),
        $name, $value;
}

# The records of a body.
sub body_records {
    my ($body) = @_;
    return map { fastcgi_record(5, $_) } unpack '(a32768)*', $body;
}

# The bytes of one request, which may have further parameters.
sub fastcgi_bytes {
    my ($method, $target, $body, $type, %more) = @_;
    my %parameters = (
        REQUEST_METHOD => $method,
        REQUEST_URI    => $target,
        QUERY_STRING   => $target =~ /\?(.*)/s ? $1 : '',
        CONTENT_LENGTH => defined $body ? length $body : '',
        CONTENT_TYPE   => $type || (defined $body ? 'text/plain' : ''),
        %more,
    );
    return join '', fastcgi_record(1, pack 'nCx5', 1, 0),
        fastcgi_record(4, join '', map { parameter($_, $parameters{$_}) } sort keys %parameters),
        fastcgi_record(4, ''), body_records($body // ''), fastcgi_record(5, '');
}

# Sends a request and waits for the answer.
sub ask_by_fastcgi {
    my ($connection, @request) = @_;
    $connection->write(fastcgi_bytes(@request));
    return fastcgi_answer($connection);
}

# The answer to a request that was written: {status, headers, content, json}, or undef
# if it is not complete within $seconds (60).
sub fastcgi_answer {
    my ($connection, $seconds) = @_;
    $connection->hangs_up($seconds || 60);
    my ($bytes, $at, $out, $ended) = ($connection->bytes, 0, '', 0);
    while (length($bytes) - $at >= 8) {
        my ($version, $type, $id, $length, $padding) = unpack 'CCnnC', substr $bytes, $at, 8;
        $out .= substr $bytes, $at + 8, $length if $type == 6;
        $ended = 1 if $type == 3;
        $at += 8 + $length + $padding;
    }
    return if !$ended;
    my ($head, $content) = split /\r\n\r\n/, $out, 2;
    my %headers = map { /^([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } split /\r\n/, $head // '';
    my ($status) = ($headers{status} || '200') =~ /^([0-9]+)/;
    return Longroom::with_json({ status => $status, headers => \%headers, content => $content // '' });
}

1;
