"""What captions state, as classes, and the head that reads them from a caption's vector in the encoder's training."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from skewbench.eval.sounds.captions import EventPhrase, read
from skewbench.eval.sounds.vocabulary import KINDS, LOUDNESS, PITCHES, TIMBRES
from skewbench.training.sounds.architecture import TEXT_WIDTH

EVENTS = 3
"""Most events of a caption."""
_WORDS: tuple[tuple[str, ...], ...] = (KINDS, tuple(PITCHES), TIMBRES, tuple(LOUDNESS))
_CLASSES = (*(len(words) + 1 for _ in range(EVENTS) for words in _WORDS), 2)
"""Classes of each statement: 0 is nothing. The last one says whether the caption states an order."""


def statements(texts: Sequence[str]) -> Int[Tensor, "n statements"]:
    """List what captions state.

    Args:
        texts: n captions of the grammar. An empty one states nothing.

    Returns:
        A class for each statement: kind, pitch, timbre and loudness of three events, and whether there is an order.

    Raises:
        ValueError: A text is no caption.
    """
    return torch.tensor([_of(text) for text in texts])


def _of(text: str) -> list[int]:
    if not text:
        return [0] * len(_CLASSES)
    meaning = read(text)
    if isinstance(meaning, str):
        raise ValueError(meaning)
    found = [number for event in meaning.events for number in _of_event(event)]
    return [*found, *[0] * (len(_CLASSES) - 1 - len(found)), int(meaning.ordered)]


def _of_event(event: EventPhrase) -> list[int]:
    stated = (event.kind, event.pitch, event.timbre, event.loudness)
    return [0 if word is None else words.index(word) + 1 for word, words in zip(stated, _WORDS, strict=True)]


class StatementHead(nn.Module):
    """Reads all statements from the normalised vectors of captions."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(TEXT_WIDTH, sum(_CLASSES))

    def forward(self, vectors: Float[Tensor, "n d"], wanted: Int[Tensor, "n statements"]) -> Float[Tensor, ""]:
        """Compute the mean cross entropy of all statements.

        Args:
            vectors: Vectors of captions, of norm 1.
            wanted: Their statements.
        """
        logits = self.read(vectors * TEXT_WIDTH**0.5).split(_CLASSES, dim=1)
        losses = [F.cross_entropy(one, target) for one, target in zip(logits, wanted.unbind(1), strict=True)]
        return torch.stack(losses).mean()

    def right(self, vectors: Float[Tensor, "n d"], wanted: Int[Tensor, "n statements"]) -> float:
        """Compute the share of statements that are read right.

        Args:
            vectors: As for `forward`.
            wanted: As for `forward`.
        """
        logits = self.read(vectors * TEXT_WIDTH**0.5).split(_CLASSES, dim=1)
        found = torch.stack([one.argmax(dim=1) for one in logits], dim=1)
        return (found == wanted).float().mean().item()
