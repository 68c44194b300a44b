"""The prompt."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Prompt:
    """One prompt. `id`: of its source where that has ids, else a digest of the text."""

    id: str
    text: str
    category: str | None = None
    challenge: str | None = None


def prompt(text: str, category: str | None = None, challenge: str | None = None) -> Prompt:
    """Make a prompt whose id depends only on its text, not on order or file name.

    Args:
        text: The prompt.
        category: Its category, if any.
        challenge: Its challenge, as PartiPrompts have it, if any.
    """
    return Prompt(sha256(text.encode()).hexdigest()[:12], text, category, challenge)
