"""The bundled model `shapes-xl`: a small StableDiffusionXLPipeline trained on drawn scenes."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Its folder, in the layout of a hub repository."""
