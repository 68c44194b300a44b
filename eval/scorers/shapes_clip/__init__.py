"""The bundled CLIP `shapes-clip`, trained on the drawn scenes, so that what needs a CLIP's features runs offline."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Its folder, as open_clip reads one: configuration, weights, tokenizer. `skewbench.tasks.shapes_clip.train` writes it."""
