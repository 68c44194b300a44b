"""Synthetic sounds with exact captions: what `sounds` is trained on, and what its scorer understands."""
