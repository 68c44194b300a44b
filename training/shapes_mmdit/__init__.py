"""The bundled model `shapes-mmdit`: a small StableDiffusion3Pipeline trained on rendered scenes."""

from skewbench.tasks.models import BUNDLED_MODELS

WEIGHTS = BUNDLED_MODELS / "shapes_mmdit" / "weights"
"""Its folder, in the layout of a hub repository. Files that it shares with `shapes-xl` are links."""
