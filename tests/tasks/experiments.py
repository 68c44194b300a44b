"""Small experiments for tests."""

from typing import Any

from skewbench.tasks.experiment import Experiment, parse_experiment

BASELINE = {"name": "baseline", "knob": {"kind": "vanilla"}}
SKEW = {"name": "skew", "knob": {"kind": "skew", "alpha": 1.2, "beta": 5.0}}


def small(**changes: Any) -> Experiment:
    """Two cells, two prompts, two seeds, two steps; fields may be replaced."""
    fields: dict[str, Any] = {
        "name": "small",
        "prompts": {"source": "scenes", "count": 2},
        "seeds": 2,
        "generation": {"steps": 2},
        "cells": [BASELINE, SKEW],
        "metrics": ["binding", "msssim_diversity"],
        "workers": {"batch": 2, "shard": 2, "count": 1},
    }
    return parse_experiment({**fields, **changes}, "test")
