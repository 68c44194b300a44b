"""Checks user texts before they reach files, tokenizers, pages or terminals."""


def lines_of(text: str) -> list[str]:
    r"""Split a text into lines only at \n, \r\n and \r.

    `str.splitlines` also splits at U+2028, U+0085, form feed and others, which occur within lines of real texts.

    Args:
        text: Any text.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def is_unicode(text: str) -> bool:
    r"""Return whether a text is valid Unicode: it has no half of a surrogate pair.

    Neither Arrow nor UTF-8 can hold such a half. JSON and YAML can spell it (`"\ud83d"`), and it remains when a program
    cuts a text within an emoji.

    Args:
        text: Any text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_unicode(text: str) -> str:
    """Return a text with halves of surrogate pairs spelled out, for messages that must not fail.

    Args:
        text: Any text.
    """
    return text.encode("utf-8", "backslashreplace").decode()
