"""The bundled model `shapes-pixel`: a small IFPipeline (DeepFloyd IF, stage I) for rendered scenes."""

from pathlib import Path

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()

WEIGHTS = Path(__file__).parent / "weights"
"""Its folder, in the layout of a hub repository."""
