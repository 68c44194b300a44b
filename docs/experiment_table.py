"""Write docs/experiment.md from the fields of an experiment: `python docs/experiment_table.py`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skewbench.stability.knobs import KNOBS
from skewbench.tasks.experiment import Experiment

PAGE = Path(__file__).with_name("experiment.md")
OPENING = """# Fields of an experiment

An experiment is a YAML file. `skewbench plan FILE` checks it. `python docs/experiment_table.py` writes this page from
[tasks/experiment.py](../tasks/experiment.py).
"""
PLACES = {"attention": "cells.knob", "predictions": "cells.guidance_rule", "condition": "cells.condition"}


def page() -> str:
    """All fields of an experiment and of its knobs, as Markdown."""
    schema = Experiment.model_json_schema()
    knobs = {knob.__name__ for knob in map(KNOBS.get, KNOBS.names())}
    parts = [OPENING, *_section("experiment", schema)]
    for name, part in schema["$defs"].items():
        if name not in knobs:
            parts += _section(name, part)
    for place, field in PLACES.items():
        for kind in sorted(KNOBS.names()):
            if KNOBS.get(kind).place == place and KNOBS.get(kind).__module__.startswith("skewbench."):
                parts += _section(f"{field}: {kind}", schema["$defs"][KNOBS.get(kind).__name__])
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _section(title: str, schema: dict[str, Any]) -> Iterator[str]:
    """A heading, what the group is for, and a row for each field."""
    yield f"## {title}"
    if summary := schema.get("description", "").split("\n\n")[0]:
        yield _line(summary)
    rows = [_row(name, field, name in schema.get("required", ())) for name, field in schema["properties"].items()]
    head = ("field", "value", "default", "meaning")
    yield "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _row(name: str, field: dict[str, Any], required: bool) -> tuple[str, ...]:
    default = "required" if required else _value(field.get("default"))
    return f"`{name}`", _kind(field), default, _line(field.get("description", ""))


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        kinds = [kind for kind in KNOBS.names() if KNOBS.get(kind).__name__ == name]
        return f"the knob `{kinds[0]}`" if kinds else f"[{name}](#{name.lower()})"
    if "discriminator" in field:
        return "a knob, by its `kind`"
    if choices := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{choice}`" for choice in choices)
    if several := field.get("anyOf", field.get("oneOf")):
        return " or ".join(dict.fromkeys(_kind(one) for one in several if one.get("type") != "null"))
    if "items" in field:
        return f"list of {_kind(field['items'])}"
    words = {"array": "list", "object": "mapping", "string": "text", "boolean": "true or false"}
    kind = str(words.get(field.get("type", ""), field.get("type", "any")))
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join([kind, *(f"{sign} {field[bound]}" for bound, sign in bounds.items() if bound in field)])


def _value(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, dict):
        return "its fields' defaults" if value else "empty"
    if isinstance(value, list | tuple):
        return ", ".join(f"`{one}`" for one in value) or "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _line(text: str) -> str:
    """Text for a cell of a table; outside of code a `<` would begin a tag."""
    parts = re.split(r"(`[^`]*`)", re.sub(r"\s+", " ", text).replace("|", "\\|").strip())
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
