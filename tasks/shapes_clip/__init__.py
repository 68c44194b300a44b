"""Training and evaluation of the bundled CLIP `shapes-clip`; what scores with it is in `eval.scorers.shapes_clip`."""
