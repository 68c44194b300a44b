"""Finds the image tokens among the tokens of a softmax, and the padding."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skewbench.stability.softmax import Mask

PADDED = -1e3
"""A mask that adds less than this to a key's logits hides it. (diffusers adds -10000, or minus infinity.)"""

_IMAGE_FIRST = ("JointAttnProcessor2_0", "FusedJointAttnProcessor2_0", "SD3IPAdapterJointAttnProcessor2_0")
_TEXT_FIRST = (
    "AttnAddedKVProcessor2_0",
    "FluxAttnProcessor",
    "FluxIPAdapterAttnProcessor",
    "QwenDoubleStreamAttnProcessor2_0",
)
"""Names of diffusers' processors whose layers have a separate projection for text."""


class Image(NamedTuple):
    """The positions of the image tokens: L consecutive tokens, or L indices for each row."""

    tokens: slice | Int[Tensor, "B L"]

    def of(self, x: Float[Tensor, "B *heads S width"]) -> Float[Tensor, "B *heads L width"]:
        """Select the image tokens.

        Args:
            x: Values of all tokens.
        """
        if isinstance(self.tokens, slice):
            return x[..., self.tokens, :]
        return _gathered(x, self.tokens)

    def others(self, x: Float[Tensor, "B H S width"]) -> Float[Tensor, "B H T width"]:
        """Select the tokens that are no image tokens, in their order.

        Args:
            x: Values of all tokens.
        """
        if isinstance(self.tokens, slice):
            before, after = x[..., : self.tokens.start, :], x[..., self.tokens.stop :, :]
            return before if after.shape[-2] == 0 else after if before.shape[-2] == 0 else torch.cat([before, after], 2)
        return _gathered(x, self._order(x.shape[-2])[:, : x.shape[-2] - self.tokens.shape[-1]])

    def joined(
        self, image: Float[Tensor, "B H L width"], others: Float[Tensor, "B H T width"]
    ) -> Float[Tensor, "B H S width"]:
        """Join image tokens and others, each in its place: the inverse of `of` and `others`.

        Args:
            image: Values of the image tokens.
            others: Values of the other tokens.
        """
        if isinstance(self.tokens, slice):
            start = self.tokens.start
            return torch.cat([others[:, :, :start], image, others[:, :, start:]], dim=2)
        order = self._order(image.shape[2] + others.shape[2])
        return _gathered(torch.cat([others, image], dim=2), order.argsort(dim=1))

    def keys(self, mask: Mask, queries: int) -> Mask:
        """A mask over S keys as one over the image tokens first, then the others.

        Args:
            mask: Of the whole softmax.
            queries: Number of queries: the image tokens, or S. Those of the image tokens are kept.
        """
        count = mask.shape[-1]
        if isinstance(self.tokens, Tensor):
            mask = mask.expand(len(self.tokens), *mask.shape[1:])
        if mask.shape[2] == queries == count:
            mask = self.of(mask)
        if isinstance(self.tokens, slice):
            start, stop = self.tokens.start, self.tokens.stop
            return torch.cat([mask[..., self.tokens], mask[..., :start], mask[..., stop:]], dim=-1)
        order = self._order(count).roll(self.tokens.shape[-1], dims=1)
        return mask.gather(-1, order[:, None, None].expand(*mask.shape))

    def _order(self, count: int) -> Int[Tensor, "B S"]:
        """Return the indices of all tokens, the image tokens last."""
        assert isinstance(self.tokens, Tensor)  # noqa: S101 - a slice needs no order
        is_image = torch.zeros(len(self.tokens), count, dtype=torch.int8, device=self.tokens.device)
        return is_image.scatter(1, self.tokens, 1).argsort(dim=1, stable=True)


def _gathered(x: Tensor, index: Int[Tensor, "B n"]) -> Tensor:
    """Select tokens (the dimension before the last) by their indices in each row."""
    index = index.reshape(len(index), *(1,) * (x.ndim - 3), -1, 1)
    return x.gather(-2, index.expand(*x.shape[:-2], index.shape[-2], x.shape[-1]))


def two_streams(processor: Any, keys: int, image: int) -> Image:
    """Find the image tokens in a layer that has a separate projection for text.

    Args:
        processor: The layer's.
        keys: Number of keys of the softmax.
        image: Number of tokens of the image.

    Raises:
        ValueError: The order is not known for this processor.
    """
    name = type(processor).__name__
    if name in _IMAGE_FIRST:
        return Image(slice(0, image))
    if name in _TEXT_FIRST:
        return Image(slice(keys - image, keys))
    raise ValueError(
        f"{name}: it is unknown whether text or image tokens come first; known are "
        f"{', '.join(_IMAGE_FIRST + _TEXT_FIRST)}"
    )


Stream = Callable[[Mapping[str, Any], int], Image]
"""A function from the arguments of the model's call and the number of tokens in a layer to the image tokens."""


def single_stream(model: nn.Module, name: str) -> Stream | None:
    """Find how to separate image and text tokens in a layer whose input has both; None: its input is only the image.

    Args:
        model: The denoiser.
        name: The layer's dotted name in it.
    """
    kind = type(model).__name__
    if kind == "FluxTransformer2DModel" and name.startswith("single_transformer_blocks."):
        return _text_in_front
    if kind == "Lumina2Transformer2DModel" and name.startswith("layers."):
        return _text_of_each_row_in_front
    return None


def _text_in_front(given: Mapping[str, Any], tokens: int) -> Image:
    return Image(slice(given["encoder_hidden_states"].shape[1], tokens))


def _text_of_each_row_in_front(given: Mapping[str, Any], tokens: int) -> Image:
    """Text of a row's own length, the image, then padding: Lumina2's."""
    height, width = given["hidden_states"].shape[-2:]
    patch = given["patch_size"]
    text = given["encoder_attention_mask"].sum(dim=1)
    image = torch.arange((height // patch) * (width // patch), device=text.device)
    return Image(text[:, None].long() + image)


def counted(mask: Mask | None, rows: int, tokens: int) -> Float[Tensor, "B L"] | None:
    """Find the image tokens that count: those that a mask over keys does not hide; None if all count.

    Args:
        mask: Of the image tokens' keys, these first.
        rows: B.
        tokens: L.

    Raises:
        ValueError: The mask hides different keys for different queries, so no single set of tokens exists.
    """
    if mask is None:
        return None
    if mask.shape[2] != 1:
        raise ValueError("the mask differs between queries: the measures are undefined for such masks")
    keys = mask[:, 0, 0, :tokens]  # diffusers repeats a mask over heads
    return (keys if keys.dtype == torch.bool else keys > PADDED).float().expand(rows, -1)
