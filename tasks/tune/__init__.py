"""Chooses a setting for a model: a budgeted search over knobs, whose trials are cells of runs in the lake."""
