"""The bundled model `shapes-pixel`: a small IFPipeline (DeepFloyd IF, stage I) for rendered scenes."""

from skewbench.tasks.models import BUNDLED_MODELS

WEIGHTS = BUNDLED_MODELS / "shapes_pixel" / "weights"
"""Its folder, in the layout of a hub repository."""
