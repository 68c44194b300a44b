"""The list of prompts that leave an attribute open, with the attribute's values as texts for zero-shot classes."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("prompts.yaml")


@dataclass(frozen=True)
class OpenAttribute:
    """An attribute that a prompt leaves open. `texts`: one per value, such as `a red cup`."""

    prompt: str
    attribute: str
    values: tuple[str, ...]
    texts: tuple[str, ...]


@cache
def open_attributes() -> tuple[OpenAttribute, ...]:
    """Read the package's list, in its order."""
    import yaml

    return tuple(
        OpenAttribute(
            row["prompt"],
            row["attribute"],
            tuple(row["values"]),
            tuple(row["text"].format(value, a=_with_article(value)) for value in row["values"]),
        )
        for row in yaml.safe_load(_LIST.read_text(encoding="utf-8"))
    )


def attributes_of(prompt: str) -> dict[str, OpenAttribute]:
    """Return what the list says of a prompt, by attribute; nothing for a prompt that is not in it.

    Args:
        prompt: Any text. Case, and spaces around it, do not matter.
    """
    wanted = prompt.strip().lower()
    return {row.attribute: row for row in open_attributes() if row.prompt.lower() == wanted}


def _with_article(value: str) -> str:
    return f"{'an' if value[0].lower() in 'aeiou' else 'a'} {value}"
