"""Texts that attack whoever takes them at their word: paths, shells, SQL, HTML, Markdown, terminals, Python."""

NAMES = [
    "../../evil",
    "/etc/passwd",
    "a/b",
    "..",
    "x; touch evil",
    "$(touch evil)",
    "`touch evil`",
    "it's",
    'a"b',
    "a\nb",
    "demo\n",
    "a\x00b",
    "-rf",
    "<script>alert(1)</script>",
    "a b",
    "%2e%2e%2f",
    "a" * 4000,
    "\u202eevil",
    "EVIL",
    "",
]
PROMPTS = [
    "</script><script>alert(1)</script>",
    "'; DROP VIEW samples; --",
    "[/bold] [red]a fox[/red] [link=http://evil]here[/link]",
    "\x1b]0;evil\x07\x1b[2Ja fox",
    "a \u202e fox \u2066",
    "| a | [b](javascript:alert(1)) | `c`",
    "../../etc/passwd; $(touch evil) `touch evil`",
    "{{7*7}} {0} %s",
]
