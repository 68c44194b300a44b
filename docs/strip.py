"""Draw the images at the top of the README from a run of docs/strip.yaml: `python docs/strip.py --lake strip`.

A row is a cell and a column is a prompt, so a column shows one prompt and one noise under each setting. The PNG's text
chunk `skewbench` has, as JSON, the cells, prompts, pair ids and sample ids that it shows, and the model's revision;
tests/test_pages.py compares them with docs/strip.yaml.
"""

import json
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from skewbench.flows.experiments import load
from skewbench.sql import connect
from skewbench.sql.images import encoded_images

FOLDER = Path(__file__).parent
EXPERIMENT = FOLDER / "strip.yaml"
FIGURE = FOLDER / "strip.png"
CHUNK = "skewbench"

_SIDE, _GAP, _LEFT, _TOP, _FONT = 192, 8, 156, 100, 14
_INK, _PAPER = "#1c2127", "#ffffff"
_SAMPLES = """
    SELECT s.sample_id, s.pair_id, s.cell, s.prompt, s.prompt_id, s.noise_seed, s.setting, s.revision
    FROM samples AS s WHERE s.status = 'ok'
"""


def main(
    lake: Annotated[Path, typer.Option(help="The lake with a committed run of docs/strip.yaml.")] = Path("strip"),
) -> None:
    """Draw docs/strip.png."""
    experiment = load(str(EXPERIMENT))
    with connect(lake) as opened:
        newest = "SELECT run_id FROM runs WHERE name = ? AND status = 'committed' ORDER BY created DESC LIMIT 1"
        found = opened.execute(newest, [experiment.name]).fetchone()
    if found is None:
        raise typer.BadParameter(f"lake {str(lake)!r} has no committed run of {EXPERIMENT.name}; run it first")
    run = str(found[0])
    with connect(lake, run) as opened:
        rows = opened.execute(_SAMPLES).pl().to_dicts()
    prompts = list(dict.fromkeys(row["prompt"] for row in sorted(rows, key=lambda row: len(row["prompt"]))))
    cells = [cell.name for cell in experiment.cells]
    shown = {(row["cell"], row["prompt"]): row for row in rows}
    if missing := [(cell, prompt) for cell in cells for prompt in prompts if (cell, prompt) not in shown]:
        raise typer.BadParameter(f"run {run} has no usable image of {missing[0]}; run {EXPERIMENT.name} again")
    images = encoded_images(lake, run, [row["sample_id"] for row in rows])
    strip = _composed(
        [_label(cell.name, cell.knob.words) for cell in experiment.cells],
        prompts,
        [[images[shown[cell, prompt]["sample_id"]] for prompt in prompts] for cell in cells],
    )
    strip.save(FIGURE, optimize=True, pnginfo=_described(cells, [[shown[c, p] for p in prompts] for c in cells]))
    typer.echo(f"{FIGURE}: {len(cells)} cells x {len(prompts)} prompts of {run}, {FIGURE.stat().st_size} bytes")


def _label(cell: str, words: str) -> str:
    """The cell's name over the words of its knob, one a line. Pillow's font has no Greek letters."""
    latin = words.replace("α", "alpha").replace("β", "beta")
    return "\n".join([cell, *latin.split(", ")])


def _described(cells: list[str], rows: list[list[dict[str, Any]]]) -> PngInfo:
    first = rows[0]
    described = {
        "cells": cells,
        "settings": [json.loads(row_of_cell[0]["setting"]) for row_of_cell in rows],
        "pairs": [{name: row[name] for name in ("prompt_id", "prompt", "noise_seed", "pair_id")} for row in first],
        "samples": [[row["sample_id"] for row in row_of_cell] for row_of_cell in rows],
        "revision": first[0]["revision"],
    }
    info = PngInfo()
    info.add_itxt(CHUNK, json.dumps(described))
    return info


def _composed(cells: list[str], prompts: list[str], images: list[list[bytes]]) -> Image.Image:
    """Place the images, enlarged without smoothing, under their prompts and beside the words of their cells."""
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (_LEFT + step * len(prompts), _TOP + step * len(cells)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for column, prompt in enumerate(prompts):
        text = "\n".join(wrap(prompt, width=27))
        pen.multiline_text((_LEFT + step * column, _TOP - 6), text, _INK, font, anchor="ld")
    for row, words in enumerate(cells):
        pen.multiline_text((4, _TOP + step * row + _SIDE // 2), words, _INK, font, anchor="lm")
        for column, encoded in enumerate(images[row]):
            with Image.open(BytesIO(encoded)) as image:
                enlarged = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (_LEFT + step * column, _TOP + step * row))
    return sheet


if __name__ == "__main__":
    typer.run(main)
