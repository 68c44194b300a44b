"""What stability measures are called, and what each says in one line."""

MEASURES = {
    "neg_energy": ("−E", "minus the retrieval's energy: how deep in a minimum the block settles"),
    "instability": ("r", "the share of tokens that the block's own field would flip"),
    "alignment": ("Align", "how far the retrieval points along its own field; 1 is a fixed point"),
    "symmetry": ("η", "how symmetric the attention is, from −1 to 1"),
}
"""A measure's symbol in the paper, and what it says."""


def measure_label(measure: str) -> str:
    """A measure's symbol in the paper."""
    return MEASURES[measure][0] if measure in MEASURES else measure
