"""The card of a dataset folder, from the manifest: a YAML header for the hub, and a description for readers."""

from collections.abc import Sequence
from typing import Any

import yaml

from skewbench.storage.records import Manifest
from skewbench.tasks.media import medium_of
from skewbench.tasks.report.summary import inert

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"


def dataset_card(manifest: Manifest, counts: Sequence[tuple[str, str, int]], has_group_scores: bool) -> str:
    """Write the card.

    Args:
        manifest: The run's manifest.
        counts: Samples by cell and status.
        has_group_scores: Whether there are metrics of a prompt's images or of a cell.

    Returns:
        Markdown. Texts of the run are escaped.
    """
    header = yaml.safe_dump(_header(manifest, sum(count for *_, count in counts), has_group_scores), sort_keys=False)
    lines = [f"# {inert(manifest.run_id)}", inert(str(manifest.experiment.get("description") or ""))]
    lines.append(
        f"Samples of a run of skewbench, status {manifest.status}. A row is a sample: its file, prompt, seed and "
        "setting (`setting` is JSON), and a column for each metric of a sample. NULL: no value. Rows whose `status` is "
        "not `ok` have no usable file; leave them out of means and count them."
    )
    if has_group_scores:
        lines.append("The configuration `group_scores` has metrics of a prompt's samples, or of all samples of a cell.")
    if stability := manifest.identity.get("stability"):
        lines.append(inert(str(stability)))
    lines += ["## Cells", _table(("cell", "setting", "samples"), _cells(manifest, counts))]
    if manifest.metrics:
        named = [
            (f"`{one['name']}`", str(one.get("better") or "neither"), str(one.get("meaning") or ""))
            for one in manifest.metrics
        ]
        lines += ["## Metrics", _table(("metric", "better", "meaning"), named)]
    if manifest.missing_metrics:
        missing = [(one["metric"], one["reason"]) for one in manifest.missing_metrics]
        lines += ["## Metrics without values", _table(("metric", "reason"), missing)]
    lines += ["## Made with", _table(("what", "value"), _made_with(manifest))]
    return f"---\n{header}---\n\n" + "\n\n".join(line for line in lines if line) + "\n"


def _header(manifest: Manifest, samples: int, has_group_scores: bool) -> dict[str, Any]:
    configs = [{"config_name": "samples", "data_files": "data/*.parquet", "default": True}]
    if has_group_scores:
        configs.append({"config_name": "group_scores", "data_files": "group_scores/*.parquet"})
    return {
        "pretty_name": manifest.run_id,
        "task_categories": [f"text-to-{medium_of(manifest)}"],
        "tags": ["skewbench"],
        "size_categories": [next((name for most, name in _SIZES if samples < most), _LARGEST)],
        "configs": configs,
    }


def _cells(manifest: Manifest, counts: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, str]]:
    statuses: dict[str, list[str]] = {}
    for cell, status, count in counts:
        statuses.setdefault(cell, []).append(f"{count} {status}")
    return [
        (
            f"{cell['name']} (baseline)" if cell["name"] == manifest.baseline else cell["name"],
            str(cell.get("words") or cell["knob"]["kind"]),
            ", ".join(statuses.get(cell["name"], ["none"])),
        )
        for cell in manifest.cells
    ]


def _made_with(manifest: Manifest) -> list[tuple[str, str]]:
    identity = manifest.identity
    found = {
        "model": manifest.experiment.get("model", {}).get("id"),
        "revision": identity.get("revision"),
        "created": manifest.created,
        **dict(identity.get("versions") or {}),
    }
    return [(name, str(value)) for name, value in found.items() if value]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str) -> str:
    return value if value.startswith("`") and value.count("`") == 2 else inert(value)
