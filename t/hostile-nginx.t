# The shipped locations in a site whose http block sets everything that could harm
# them: a location inherits whatever it does not set. The tests of what clients see
# run again, whole, below such a block.

use strict;
use warnings;

use File::Basename ();
use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

# The black-box tests: they look only at what they get through nginx.
my @TESTS = qw(bad-input.t cursors.t events-nginx.t history.t operator.t poll.t rooms.t send.t);

# What nginx cannot read, or handles differently, below such a block, unless a
# location sets it.
my $BLOCK = <<'END';
    fastcgi_pass_request_headers off;
    fastcgi_pass_request_body off;
    fastcgi_request_buffering off;
    fastcgi_ignore_client_abort on;
    fastcgi_bind 127.0.0.2;
    fastcgi_connect_timeout 1ms;
    fastcgi_send_timeout 1ms;
    fastcgi_read_timeout 1ms;
    fastcgi_keep_conn on;
    fastcgi_next_upstream error timeout http_500 http_503 http_404 non_idempotent;
    fastcgi_intercept_errors on;
    fastcgi_cache hostile;
    fastcgi_cache_path hostile-cache keys_zone=hostile:1m;
    fastcgi_cache_key same;
    fastcgi_cache_methods GET HEAD POST;
    fastcgi_cache_valid any 1h;
    fastcgi_ignore_headers Cache-Control Expires Set-Cookie Vary;
    fastcgi_force_ranges on;
    fastcgi_limit_rate 100;
    fastcgi_hide_header Location;
    fastcgi_hide_header ETag;
    fastcgi_hide_header Link;
    fastcgi_hide_header Allow;
    fastcgi_buffering off;
    fastcgi_buffers 4 512k;
    fastcgi_busy_buffers_size 1m;
    fastcgi_temp_file_write_size 1m;
    fastcgi_max_temp_file_size 0;
    fastcgi_param REQUEST_METHOD DELETE;
    client_body_in_file_only on;
    client_body_buffer_size 1k;
    client_max_body_size 1k;
    proxy_method POST;
    proxy_pass_request_body off;
    proxy_pass_request_headers on;
    proxy_request_buffering off;
    proxy_bind 127.0.0.2;
    proxy_set_header Host hostile.example;
    proxy_set_header Longroom-User-Id mallory;
    proxy_connect_timeout 1ms;
    proxy_send_timeout 1ms;
    proxy_read_timeout 1ms;
    proxy_next_upstream error timeout http_500 http_503 http_404;
    proxy_intercept_errors on;
    proxy_cache hostile_polls;
    proxy_cache_path hostile-polls keys_zone=hostile_polls:1m;
    proxy_cache_key same;
    proxy_cache_valid any 1h;
    proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Buffering;
    proxy_force_ranges on;
    proxy_limit_rate 100;
    proxy_hide_header Cache-Control;
    proxy_hide_header X-Accel-Buffering;
    proxy_buffering off;
    proxy_buffers 4 512k;
    proxy_busy_buffers_size 1m;
    proxy_temp_file_write_size 1m;
    proxy_max_temp_file_size 1m;
    proxy_http_version 1.0;
    proxy_ignore_client_abort on;
    error_page 400 401 403 404 405 413 422 429 500 502 503 504 =200 /index.html;
    recursive_error_pages on;
    add_header X-Content-Type-Options hostile always;
    expires 1h;
    userid on;
    mirror /hostile-mirror;
    ssi on;
    ssi_types *;
    sub_filter content hostile;
    sub_filter_types *;
    addition_types *;
    add_after_body /longroom-problem;
    override_charset on;
    chunked_transfer_encoding off;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    gzip_min_length 1;
    tcp_nodelay off;
    postpone_output 8k;
    etag off;
    max_ranges 1;
END

local $ENV{LONGROOM_NGINX_HTTP} = $BLOCK;
my $l = Longroom->start(without => [qw(history pushd)]);
cmp_ok index(Longroom::slurp($l->dir . '/nginx.conf'), $BLOCK), '>=', 0, 'nginx has the block';
$l->stop;

my $tests = File::Basename::dirname(__FILE__);
for my $test (@TESTS) {
    my $run = Longroom::run([$^X, "-I$tests/lib", "$tests/$test"], seconds => 600);
    my $passed = is $run->{status}, 0, "$test passes below that block";
    diag $run->{stdout}, $run->{stderr} if !$passed;
}

done_testing;
