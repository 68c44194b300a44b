"""The test suite. Tests import diffusers and open_clip directly, in processes of their own too."""

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()
