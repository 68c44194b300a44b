"""The bundled model `sounds`: a small AudioLDMPipeline trained on synthetic sounds."""

from skewbench.tasks.models import BUNDLED_MODELS

WEIGHTS = BUNDLED_MODELS / "sounds" / "weights"
"""Its folder, in the layout of a hub repository."""
