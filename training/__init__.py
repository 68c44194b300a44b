"""Training and evaluation of the bundled models: commands of their own, which no flow runs.

The trained weights lie in `tasks/bundled` and `eval/shapes_clip`.
"""

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()
