"""The bundled model `shapes-pixel`: a small IFPipeline (DeepFloyd IF, stage I) for rendered scenes."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Its folder, in the layout of a hub repository."""
