"""The bundled model `shapes-mmdit`: a small StableDiffusion3Pipeline trained on rendered scenes."""

from pathlib import Path

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()

WEIGHTS = Path(__file__).parent / "weights"
"""Its folder, in the layout of a hub repository. Files that it shares with `shapes-xl` are links."""
