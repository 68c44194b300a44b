"""Training and evaluation of the bundled CLIP `shapes-clip`.

What scores with it is in `skewbench.eval.shapes_clip`.
"""
