"""The cells of a manifest: settings, words, family and strengths, as the run's own version had them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CellEntry:
    """One cell of a run.

    Args:
        name: The cell's name.
        kind: The kind of its knob.
        settings: The knob's fields, defaults included, without `kind`; `guidance_rule` and `condition` with their own
            fields, if there are any.
        generation: How its samples are generated; None if the manifest does not have it.
        overrides: What of that is not as in the run's other cells; empty in runs before cells had it.
        words: The setting in words.
        family: Name shared by all settings that differ only in strength.
        strengths: `name`, `symbol`, `plain` (a value at which the knob does nothing, or None) and `value` of each.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    generation: dict[str, Any] | None
    overrides: dict[str, Any]
    words: str
    family: str
    strengths: list[dict[str, Any]]


def read_cell(entry: dict[str, Any]) -> CellEntry:
    """Read a cell from its entry in a manifest.

    Args:
        entry: The entry, of any schema version.

    Returns:
        The cell. For version 5 and before, defaults, words and strengths are derived from the settings.
    """
    kind = entry["knob"]["kind"]
    settings = {name: value for name, value in entry["knob"].items() if name != "kind"}
    if "window" in settings:  # a knob on attention
        settings = _ADDED | settings
    settings |= {place: entry[place] for place in ("guidance_rule", "condition") if place in entry}
    if "words" in entry:
        return CellEntry(
            entry["name"], kind, settings, entry.get("generation"), dict(entry.get("overrides") or {}),
            str(entry["words"]), str(entry["family"]),
            [strength for strength in entry["strengths"] if isinstance(strength["value"], int | float)],
        )  # fmt: skip
    return _before_version_6(entry["name"], kind, settings)


_ADDED: dict[str, Any] = {"heads": "all", "schedule": "constant", "weak": None}
"""Fields that all knobs on attention got later, with the values by which they act as before. So a setting of an older
run equals the same setting of a newer one."""

# The rest reads manifests of version 5 and before, which kept only the fields that the experiment set. It is frozen: it
# does not follow changes of the knobs.

_SELECTION = {"blocks": "all", "window": [0.0, 1.0]}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "skew": {"beta": 1.0, "adapt_alpha": "off", "adapt_beta": False, "eta_scope": "sample", "rescale": "norm"}
    | _SELECTION,
    "temperature": _SELECTION,
}
_SYMBOLS: dict[str, tuple[str, float | None]] = {"alpha": ("α", 1.0), "beta": ("β", None), "tau": ("τ", 1.0)}


def _before_version_6(name: str, kind: str, given: dict[str, Any]) -> CellEntry:
    settings = _DEFAULTS.get(kind, {}) | given
    if kind in _DEFAULTS:
        settings = _ADDED | settings
    strengths = [
        {"name": field, "symbol": symbol, "plain": plain, "value": settings[field]}
        for field, (symbol, plain) in _SYMBOLS.items()
        if isinstance(settings.get(field), int | float)
    ]
    rules = _rules(settings)
    part = (["no rescale"] if settings.get("rescale") == "off" else []) + _selected(settings)
    if kind == "vanilla":
        return CellEntry(name, kind, settings, None, {}, "plain attention", "baseline", strengths)
    adaptive = settings.get("adapt_alpha", "off") != "off" or bool(settings.get("adapt_beta"))
    family = kind if kind != "skew" else "adaptive" if adaptive else "static"
    turned = [f"{strength['symbol']} {strength['value']:g}" for strength in strengths]
    return CellEntry(
        name, kind, settings, None, {}, ", ".join([kind, *turned, *rules, *part]), ", ".join([family, *part]), strengths
    )


def _rules(settings: dict[str, Any]) -> list[str]:
    rule = settings.get("adapt_alpha", "off")
    return [
        *([f"α adaptive ({rule})"] if rule != "off" else []),
        *(["β adaptive"] if settings.get("adapt_beta") else []),
        *(["η over the batch"] if settings.get("eta_scope") == "batch" else []),
    ]


def _selected(settings: dict[str, Any]) -> list[str]:
    blocks, (start, end) = settings.get("blocks", "all"), settings.get("window", (0.0, 1.0))
    listed = ", ".join(map(str, blocks)) if isinstance(blocks, list) else blocks
    return [
        *([f"blocks {listed}"] if blocks != "all" else []),
        *([f"steps from {100 * start:g}% to {100 * end:g}%"] if (start, end) != (0.0, 1.0) else []),
    ]
