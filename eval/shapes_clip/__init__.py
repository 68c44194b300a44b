"""The bundled CLIP `shapes-clip`, trained on the drawn scenes, so that what needs a CLIP's features runs offline."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Folder that open_clip reads: configuration, weights, tokenizer. `skewbench.training.shapes_clip.train` writes it."""
