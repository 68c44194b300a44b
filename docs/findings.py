"""Run the experiments of docs/findings.md: `python docs/findings.py --lake findings`.

Each bundled model has three: stability beside quality over captions of one, two and three objects (or events of a
sound), the same over captions of two, and a grid of knobs. Each is a file in build/findings that `skewbench run` runs.
What is complete is not run again, so the same command resumes after a stop.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from skewbench.tasks.models import CAPTIONS

FILES = Path("build/findings")
METRICS = {
    "scenes": ["binding", "shapes_clip_score", "msssim_diversity", "shapes_clip_diversity", "vendi_score"],
    "sounds": ["sound_binding", "msstft_diversity"],
}
MIXED, ALIKE = [1, 2, 3], [2]
"""Numbers of objects or events in the captions of a run."""
_RESCALE = {"shapes-mmdit": "off"}
"""Joint attention of image and text is not rescaled."""


def experiments() -> dict[str, dict[str, Any]]:
    """Return the experiments by name, as the contents of their files."""
    found = {}
    for model, captions in CAPTIONS.items():
        for kind, objects, count, seed in (("mixed", MIXED, 90, 10), ("alike", ALIKE, 80, 12)):
            name = f"{model}-{kind}"
            found[name] = _experiment(name, model, captions, objects, count, seed) | {
                "seeds": 6,
                "generation": {"steps": 20, "guidance": 5.0},
                "cells": [{"name": "baseline", "knob": {"kind": "vanilla"}}],
                "measure": {"every": 2, "detail": "mean", "columns": "all"},
            }
        name = f"{model}-knobs"
        found[name] = _experiment(name, model, captions, MIXED, 40, 11) | {
            "seeds": 4,
            "generation": {"steps": 10, "guidance": 5.0},
            "cells": _cells(_RESCALE.get(model, "norm")),
            "measure": {"every": 5, "detail": "mean", "columns": 64},
        }
    return found


def _experiment(name: str, model: str, captions: str, objects: list[int], count: int, seed: int) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"An experiment of docs/findings.md on {model}.",
        "model": {"id": model},
        "prompts": {"source": captions, "count": count, "objects": objects, "split": "test", "seed": seed},
        "metrics": METRICS[captions],
        "workers": {"batch": 8, "shard": 40},
    }


def _cells(rescale: str) -> list[dict[str, Any]]:
    plain, skew = {"kind": "vanilla"}, {"kind": "skew", "rescale": rescale}
    adaptive = skew | {"adapt_alpha": "dev", "adapt_beta": True}
    strong, weak = ((0, 5), (1.5, 5), (3, 5)), ((0, 1), (0.5, 3), (1.2, 5))
    return [
        {"name": "baseline", "knob": plain},
        *({"name": f"static-a{a}-b{b}", "knob": skew | {"alpha": a, "beta": b}} for a, b in (*weak, *strong)),
        *({"name": f"adaptive-a{a}-b{b}", "knob": adaptive | {"alpha": a, "beta": b}} for a, b in strong),
        *({"name": f"temperature-{tau}", "knob": {"kind": "temperature", "tau": tau}} for tau in (0.8, 1.25)),
        *(
            {"name": f"guidance-{scale:g}", "knob": plain, "guidance_rule": {"kind": "guidance", "scale": scale}}
            for scale in (2.5, 8.0)
        ),
    ]


def main(lake: Annotated[Path, typer.Option(help="The lake of the runs.")] = Path("findings")) -> None:
    """Run all experiments, one after the other."""
    FILES.mkdir(parents=True, exist_ok=True)
    command = Path(sys.executable).with_name("skewbench")
    for name, contents in experiments().items():
        file = FILES / f"{name}.yaml"
        file.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")  # JSON is YAML
        typer.echo(f"{name}: {file}")
        done = subprocess.run([command, "run", str(file), "--lake", str(lake)], check=False)  # noqa: S603 -- our own experiments
        if done.returncode:
            raise typer.Exit(done.returncode)


if __name__ == "__main__":
    typer.run(main)
