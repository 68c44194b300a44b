"""The paper's released code, from a checkout that the user names: for measuring only, nothing of it is kept here."""

import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

REPOSITORY = "https://github.com/hyeon-cho/Attention-Symmetric-Decomposition"


@dataclass(frozen=True)
class Released:
    """Its three modules."""

    static: Any
    adaptive: Any
    log: Any

    def processor(self, alpha: float, beta: float, *, adaptive: bool = False, energies: bool = False) -> Any:
        """Its attention processor."""
        options = {"alpha": alpha, "beta": beta, "compute_energy": energies, "cache_last_energy": False}
        if adaptive:
            return self.adaptive.EtaSkewAttnProcessor2_0(eta_alpha=True, eta_beta=True, alpha_mode="dev", **options)
        return self.static.SkewAttnProcessor2_0(**options)

    def measures(self, xi: Tensor, x: Tensor, coupling: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Energy, instability and alignment (B, C), means over heads, and the centred eta (H), a mean over B."""
        self.log.hopseq_start(save_path="", calls_per_step=1, run_tag="bench", store_dtype=torch.float32)
        _, _, record = self.log.hopseq_log_after_Hx(xi, x, coupling[0], "layer", N=coupling[1])
        names = {
            "energy": "E_map", "instability": "lambda_neg_frac_map", "alignment": "align_cos_map",
            "symmetry": "M_eta_headmean",
        }  # fmt: skip
        return {ours: record[theirs] for ours, theirs in names.items()}


def load(folder: Path) -> Released:
    """Imports it. Raises FileNotFoundError where the folder is no checkout of it."""
    if not (folder / "attentions" / "symmetry_attn_vx_eta.py").is_file():
        raise FileNotFoundError(f"{folder} is no checkout of {REPOSITORY}")
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own
            return Released(
                import_module("attentions.symmetry_attn_vx"),
                import_module("attentions.symmetry_attn_vx_eta"),
                import_module("hopfield_energy.log_energy"),
            )
    finally:
        sys.path.remove(str(folder))


def coupling(layer: Attention) -> tuple[Tensor, Tensor]:
    """What the released measures take: the symmetric and the skew part (H, C, C) of each head's Wq' Wk."""
    q, k = (to.weight.unflatten(0, (layer.heads, -1)) for to in (layer.to_q, layer.to_k))
    whole = q.mT @ k
    return (whole + whole.mT) / 2, (whole - whole.mT) / 2
