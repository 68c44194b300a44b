"""Training and evaluation of the bundled CLIP `shapes-clip`.

What scores with it is in `skewbench.eval.shapes_clip`.
"""

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()
