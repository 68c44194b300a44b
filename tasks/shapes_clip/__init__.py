"""Training and evaluation of the bundled CLIP `shapes-clip`; what scores with it is in `skewbench.eval.scorers.shapes_clip`."""
