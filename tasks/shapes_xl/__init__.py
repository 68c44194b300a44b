"""The bundled model `shapes-xl`: a small StableDiffusionXLPipeline trained on drawn scenes."""

from skewbench.eval.cpu_torchvision import define_missing_operators

define_missing_operators()
