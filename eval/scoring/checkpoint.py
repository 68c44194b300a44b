"""Checkpoints of plain tensors into modules: no pickle of anything else, and a clear error for the wrong file."""

from pathlib import Path

import torch
from torch import Tensor, nn

from skewbench.eval.weights import BadWeights


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dictionary from a `.safetensors` file or a pickle of only tensors.

    Args:
        path: The checkpoint file.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        BadWeights: The file cannot be read or contains objects other than tensors.
    """
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler reads bytes that are no pickle as instructions, and fails anywhere
        raise BadWeights(f"{path} contains no weights: {_first_line(error)}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadWeights(f"{path} contains no weights: no dictionary of tensors")
    return state


def fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> nn.Module:
    """Load all tensors of a module.

    Args:
        module: The module to fill.
        state: A tensor for each parameter and buffer.
        path: The file that the tensors are from, for the error message.

    Returns:
        The module in float32, in evaluation mode and without gradients.

    Raises:
        BadWeights: Names or shapes differ.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise BadWeights(f"{path} is not of {type(module).__name__}: {_first_line(error)}") from error
    return module.float().eval().requires_grad_(False)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
