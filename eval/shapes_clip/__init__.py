"""The bundled CLIP `shapes-clip`, trained on rendered scenes, so that metrics on CLIP features run offline."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder that open_clip reads: configuration, weights, tokenizer. `skewbench.training.shapes_clip.train` writes it."""
