"""What is in a toy lake: the rows of its tables, with known answers.

Each image has a latent quality q, and each block is stable with it: -E, Align and the image metrics grow with q, r
and the prompt's diversity fall with it. A knob cell repairs: it adds to the image metrics the more, the worse it is.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from skewbench.storage.tables import TABLES
from skewbench.storage.tables.images import IMAGES

KNOBS: dict[str, dict[str, Any]] = {
    "baseline": {"kind": "vanilla"},
    "a1.05-b3": {"kind": "skew", "alpha": 1.05, "beta": 3.0},
    "a1.20-b5": {"kind": "skew", "alpha": 1.2, "beta": 5.0},
    "adaptive": {"kind": "skew", "alpha": 1.2, "beta": 5.0, "adapt_alpha": "dev", "adapt_beta": True},
    "warm": {"kind": "temperature", "tau": 1.2},
}
FEW = ("baseline", "a1.05-b3", "a1.20-b5")
STAGES = ("down", "mid", "up")
LOST = ("failed", "blank", "nonfinite")


@dataclass(frozen=True)
class Lake:
    """What to make. The default is 3 cells of 8 prompts and 3 seeds; the last cell loses an image of each kind."""

    name: str = "toy"
    prompts: int = 8
    seeds: int = 3
    blocks: int = 6  # shared out over down, mid, up
    branches: tuple[str, ...] = ("cond", "uncond")
    steps: int = 4  # 0: means alone, as `detail="mean"` keeps them
    images: bool = True
    size: int = 8  # pixels a side
    shards: int = 2  # parts a cell and table
    knobs: tuple[str, ...] = FEW
    lost: bool = True
    status: str = "committed"
    missing: tuple[str, ...] = ("image_reward",)  # scored NULL, for want of weights
    more: int = 0  # further image metrics, each as aesthetic with more noise
    repair: float = 0.3
    seed: int = 0
    drop: tuple[str, ...] = ()  # columns left out of every part, as an older schema would
    first: int = 0  # number of the first prompt, where this is a piece of a large lake

    @property
    def run_id(self) -> str:
        return f"{self.name}-{digest(self.name, self.seed)[:8]}"


def digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:16]


def ids(lake: Lake, cell: str, prompt: int, seed: int) -> dict[str, Any]:
    pair_id = digest("pair", lake.seed, prompt, seed)
    return {
        "sample_id": digest(lake.run_id, pair_id, cell),
        "pair_id": pair_id,
        "cell": cell,
        "prompt_id": f"p{prompt:05d}",
        "seed": seed,
    }


def samples(lake: Lake) -> list[dict[str, Any]]:
    rows = []
    for index, cell in enumerate(lake.knobs):
        knob = KNOBS.get(cell, {"kind": "vanilla"})
        for number in range(lake.prompts * lake.seeds):
            prompt, seed = lake.first + number // lake.seeds, number % lake.seeds
            lost = lake.lost and index == len(lake.knobs) - 1 and number < len(LOST)
            rows.append(
                ids(lake, cell, prompt, seed)
                | {
                    "noise_seed": int(digest(prompt, seed)[:12], 16),
                    "prompt": f"scene number {prompt}",
                    "prompt_category": "even" if prompt % 2 == 0 else "odd",
                    "shard": f"{cell}-{number * lake.shards // (lake.prompts * lake.seeds)}",
                    "knob": knob["kind"],
                    "alpha": knob.get("alpha"),
                    "beta": knob.get("beta"),
                    "model": "toy",
                    "dtype": "float32",
                    "steps": max(lake.steps, 1),
                    "guidance": 5.0,
                    "width": lake.size,
                    "height": lake.size,
                    "seconds": 0.25 + 0.05 * index,
                    "device": "cpu",
                    "status": LOST[number] if lost else "ok",
                    "reason": f"made to be {LOST[number]}" if lost else None,
                }
            )
    return rows


def _repeat_ids(rows: list[dict[str, Any]], times: int) -> dict[str, pa.Array]:
    """The five id columns, each row `times` times."""
    index = pa.array(np.repeat(np.arange(len(rows)), times))
    columns = pa.Table.from_pylist(rows, pa.schema([TABLES["scores"].schema.field(name) for name in _ID_NAMES]))
    return {name: columns[name].combine_chunks().take(index) for name in _ID_NAMES}


_ID_NAMES = ("sample_id", "pair_id", "cell", "prompt_id", "seed")


def stability(lake: Lake, rows: list[dict[str, Any]], quality: np.ndarray, rng: np.random.Generator) -> pa.Table:
    kept = np.array([row["status"] != "failed" for row in rows])
    broken = np.array([row["status"] == "nonfinite" for row in rows])[kept]
    rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
    quality = quality[kept]
    each = lake.blocks * len(lake.branches)
    count, steps = len(rows) * each, max(lake.steps, 1)
    block = np.tile(np.repeat(np.arange(lake.blocks), len(lake.branches)), len(rows))
    true = np.repeat(quality, each)[:, None]
    energy, instability, alignment, symmetry = (true + rng.normal(scale=0.5, size=(count, steps)) for _ in range(4))
    values = {
        "energy": -0.2 - 0.05 * energy - 0.01 * block[:, None],
        "instability": 0.3 - 0.03 * instability,
        "alignment": 0.6 + 0.05 * alignment,
        "symmetry": 0.4 + 0.02 * symmetry,
        "symmetry_raw": 0.5 + 0.02 * symmetry,
        "alpha_eff": np.full((count, steps), 1.0),
        "beta_eff": np.full((count, steps), 0.0),
    }
    columns: dict[str, pa.Array] = _repeat_ids(rows, each)
    columns["block"] = pa.array(block, pa.int16())
    columns["block_name"] = pa.array(np.char.add("block.", block.astype(str)))
    columns["stage"] = pa.array(np.array(STAGES)[block * len(STAGES) // lake.blocks])
    columns["branch"] = pa.array(np.tile(np.array(lake.branches), len(rows) * lake.blocks))
    columns["steps"] = _lists(np.tile(np.arange(steps, dtype=np.int16), (count, 1)))
    for name, value in values.items():
        value[np.repeat(broken, each)] = np.nan
        columns[name] = pa.array(value.mean(axis=1).astype(np.float32))
        columns[f"{name}_steps"] = _lists(value.astype(np.float32)) if lake.steps else None
    return _table("stability", columns, count)


def _lists(values: np.ndarray) -> pa.Array:
    count, length = values.shape
    return pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * length, values.ravel())


def scores(lake: Lake, rows: list[dict[str, Any]], quality: np.ndarray, rng: np.random.Generator) -> pa.Table:
    kept = np.array([row["status"] in ("ok", "blank") for row in rows])
    rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
    quality = quality[kept]
    noise = rng.normal(scale=0.3, size=(2, len(rows)))
    values = {
        "scene": np.round(np.clip((quality + noise[0] + 2) / 4, 0, 1) * 8) / 8,  # few values: many ties
        "aesthetic": 5 + quality + noise[1],
        **{f"more-{k}": quality + rng.normal(scale=1 + k, size=len(rows)) for k in range(lake.more)},
        **{metric: np.full(len(rows), np.nan) for metric in lake.missing},
    }
    columns = _repeat_ids(rows, len(values))
    flat = np.stack(list(values.values()), axis=1).ravel()
    columns["metric"] = pa.array(list(values) * len(rows))
    columns["value"] = pa.array(flat, mask=np.isnan(flat))
    columns["reason"] = pa.array([None if finite else "weights missing" for finite in np.isfinite(flat)])
    columns["scorer"] = pa.array(["toy"] * len(flat))
    columns["scorer_version"] = pa.array(np.ones(len(flat)), pa.int32())
    return _table("scores", columns, len(flat))


def declarations(lake: Lake) -> list[dict[str, Any]]:
    """What the manifest says of the toy's metrics; `aesthetic` and metrics of real scorers are known without."""
    names = {"scene": "sample", **{f"more-{k}": "sample" for k in range(lake.more)}, "diversity": "prompt"}
    common = {"scorer": "toy", "version": 1, "medium": "image", "meaning": "a toy", "better": "higher"}
    common |= {"low": None, "high": None, "grows_with_n": False, "rank": None, "may_be_absent": False}
    return [{**common, "name": name, "label": name, "unit": unit} for name, unit in (names | {"vendi": "cell"}).items()]


def group_scores(lake: Lake, cell: str, quality: np.ndarray, rng: np.random.Generator) -> pa.Table:
    diversity = 0.5 - 0.1 * quality.reshape(lake.prompts, lake.seeds).mean(axis=1)
    diversity += rng.normal(scale=0.02, size=lake.prompts)
    common = {"cell": cell, "scorer": "toy", "scorer_version": 1}
    rows = [
        common
        | {
            "prompt_id": f"p{p:05d}",
            "set": "seeds of a prompt",
            "n": lake.seeds,
            "metric": "diversity",
            "value": v,
        }
        for p, v in enumerate(diversity.tolist(), start=lake.first)
    ]
    whole = {"prompt_id": None, "set": "all images", "n": len(quality), "metric": "vendi", "value": 3 + quality.std()}
    return pa.Table.from_pylist([*rows] if lake.first else [*rows, common | whole], TABLES["group_scores"].schema)


def images(rows: list[dict[str, Any]], quality: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """Plain colour with a little noise, so that large ones are as large as images are."""
    content = []
    for row, value in zip(rows, quality, strict=True):
        if row["status"] == "failed":
            continue
        pixels = np.full((row["height"], row["width"], 3), (int(100 + 60 * value), 80, 160), np.uint8)
        pixels += rng.integers(0, 8, pixels.shape, np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
        ids = {name: row[name] for name in _ID_NAMES}
        content.append(ids | {"image": {"bytes": buffer.getvalue(), "path": f"{row['sample_id']}.png"}})
    return pa.Table.from_pylist(content, IMAGES.schema)


def _table(name: str, columns: dict[str, pa.Array], count: int) -> pa.Table:
    schema = TABLES[name].schema
    arrays = []
    for field in schema:
        column = columns.get(field.name)
        arrays.append(pa.nulls(count, field.type) if column is None else column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
