package Markup;

# Texts that would run as scripts if a page treated them as more than text, and the
# means to find out in a browser that none of them ran.
#
#     my $untrap = Markup::trap($window);     # in all pages that it opens from now on
#     $window->open($url);
#     ...
#     Markup::nothing_ran($window, '#messages', 'none of it runs');
#     $untrap->();

use strict;
use warnings;

use Test::More ();

# Each would call evil(), at once or when the pointer is over it.
our @TEXTS = (
    '<script>evil()</script>',
    '"><script>evil()</script>',
    '</textarea></title><script>evil()</script>',
    '<img src=x onerror=evil()>',
    '<svg onload=evil()>',
    '<svg><script>evil()</script></svg>',
    '<body onpageshow=evil()>',
    '<details open ontoggle=evil()>',
    '<input autofocus onfocus=evil()>',
    '" autofocus onfocus="evil()" x="',
    q{' onmouseover='evil()' x='},
    '<iframe srcdoc="<script>top.evil()</script>">',
    '<iframe src="javascript:top.evil()">',
    'javascript:evil()',
    '<a href="javascript:evil()">here</a>',
    'https://x.example/"onmouseover="evil()',
    '<math><mi xlink:href="javascript:evil()">here',
    '<!--<img src="--><img src=x onerror=evil()//">',
    '&lt;script&gt;evil()&lt;/script&gt;',
    q({{constructor.constructor('evil()')()}}),
    '${evil()}',
    '<base href="javascript:evil()//">',
    '<style>@import "javascript:evil()";</style>',
);

# A dialog would count as running too.
my $TRAP = <<'END';
window.evil = () => { top.ran = true; };
for (const name of ['alert', 'confirm', 'prompt', 'print']) window[name] = window.evil;
END

sub trap {
    my ($window) = @_;
    my $script = $window->devtools('Page.addScriptToEvaluateOnNewDocument', source => $TRAP);
    return sub { $window->devtools('Page.removeScriptToEvaluateOnNewDocument', %$script) };
}

# True if the open page has its trap: without it no test means anything.
sub is_set {
    my ($window) = @_;
    return $window->run('const before = top.ran; evil(); const set = top.ran; top.ran = before; return set');
}

# A test: nothing has run, nor does when the pointer is over it; and $css, where users'
# texts are shown, has no element that only such a text can have made.
sub nothing_ran {
    my ($window, $css, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found = $window->run(<<'END', $css);
for (const element of document.querySelectorAll('body *')) {
  for (const type of ['mouseover', 'focus', 'load', 'error', 'toggle']) element.dispatchEvent(new Event(type));
}
const strange = document.querySelectorAll(`:is(${arguments[0]}) :is(script, img, svg, iframe, input, details, math,
    base, style), [href^="javascript:" i], [srcdoc]`);
return [window.ran ?? 'nothing', strange.length];
END
    return Test::More::is_deeply($found, ['nothing', 0], $title);
}

# A test: markup that is injected into the page does not run, because of the policy
# that its server sent.
sub policy_holds {
    my ($window, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found = $window->run(<<'END');
const blocked = [];
addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, originalPolicy }) => {
  // A page may have a policy within as well, which can't name frame-ancestors.
  if (originalPolicy.includes('frame-ancestors')) blocked.push(`${violatedDirective} ${blockedURI}`);
});
const script = document.createElement('script');
script.textContent = 'evil()';
const strange = document.createElement('script');
strange.src = 'data:text/javascript,evil()';
document.body.append(script, strange);
document.body.insertAdjacentHTML('beforeend',
    '<img src="data:," onerror="evil()"><a href="javascript:evil()">x</a>');
document.body.lastElementChild.click();
setTimeout('evil()');
return (async () => {
  while (blocked.length < 6) await new Promise((resolve) => setTimeout(resolve, 5));
  return [blocked.sort(), window.ran ?? 'nothing'];
})();
END
    my @blocked = ('img-src data', 'script-src eval', 'script-src-attr inline', 'script-src-elem data',
        ('script-src-elem inline') x 2);
    return Test::More::is_deeply($found, [\@blocked, 'nothing'], $title);
}

1;
