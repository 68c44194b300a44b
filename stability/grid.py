"""Rows and columns of the image's tokens in a layer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def sides(given: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return rows and columns of the largest token grid of a model call; None if its arguments do not tell.

    Args:
        given: The arguments of the model's call by name, with its `patch_size`.
    """
    if given.get("img_shapes"):  # Qwen-Image: frames, rows, columns of each row of the batch
        _, rows, columns = given["img_shapes"][0][0]
        return int(rows), int(columns)
    if isinstance(places := given.get("img_ids"), Tensor):  # FLUX: frame, row, column of each token
        _, row, column = places.reshape(-1, 3)[-1].tolist()
        return int(row) + 1, int(column) + 1
    image = next((given[name] for name in ("sample", "hidden_states") if name in given), None)
    if not isinstance(image, Tensor) or image.ndim not in (4, 5):  # 5: a video
        return None
    patch = given.get("patch_size") or 1
    down, across = patch[-2:] if isinstance(patch, tuple | list) else (patch, patch)
    return image.shape[-2] // down, image.shape[-1] // across


def at_level(largest: tuple[int, int], tokens: int) -> tuple[int, int]:
    """Return the grid of a layer with a number of tokens: the largest grid, once per frame, or one of its halvings.

    Args:
        largest: Rows and columns of the largest grid.
        tokens: The layer's image tokens; of a video, those of all frames.

    Raises:
        ValueError: No halving has this number of tokens.
    """
    rows, columns = largest
    if tokens % (rows * columns) == 0:
        return rows, columns
    while rows * columns > tokens:
        rows, columns = (rows + 1) // 2, (columns + 1) // 2  # as a convolution of stride 2 rounds
        if rows * columns == tokens:
            return rows, columns
    raise ValueError(
        f"{tokens} tokens do not form an image of {largest[0]} x {largest[1]} tokens, nor one of its halvings"
    )
