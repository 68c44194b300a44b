"""The stages of a model, in the order in which answers show them."""

UNET = ("down", "mid", "up")
"""The stages of a UNet, in the order of its blocks' numbers."""
TRANSFORMER = ("early", "middle", "late")
"""The stages of a transformer: thirds of its self-attentions, by depth."""
STAGES = (*UNET, "none", *TRANSFORMER)
"""All stages. "none": an attention outside a UNet's stages, or a single layer."""
ALL = "all"
"""The stage of answers that are means over all blocks of a model."""
SHOWN = (*STAGES, ALL)
"""The stages in answers, in this order."""
