"""Texts that people give, before they reach files, tokenizers, pages or terminals."""


def lines_of(text: str) -> list[str]:
    """Split a text into lines at \\n, \\r\\n and \\r alone.

    `str.splitlines` also cuts at U+2028, U+0085, form feed and others, which stand within lines in what people write.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def is_unicode(text: str) -> bool:
    """Return whether a text is Unicode: half of a surrogate pair is none, and neither Arrow nor UTF-8 holds it.

    JSON and YAML can spell such a half (`"\\ud83d"`), where a program cut a text in the middle of an emoji.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_unicode(text: str) -> str:
    """Return a text with halves of surrogate pairs spelled out, for messages that must not fail."""
    return text.encode("utf-8", "backslashreplace").decode()
