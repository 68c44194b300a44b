"""Runs in the environment `dreamsim`: distances and embeddings by the package, on the folder of a small checkpoint.

`bin/python -I tiny_dreamsim.py FOLDER SIZES SHARED`: SIZES are the network's, and SHARED is the path that the
environment shares, both as JSON.
"""

import json
import site
import sys
from functools import partial
from itertools import combinations
from pathlib import Path


def main(folder: Path, sizes: dict[str, int]) -> None:
    """Write `values.json`: the package's distance of each pair of images, then the numbers of each embedding."""
    import numpy as np
    import torch
    from PIL import Image

    from skewbench.eval.cpu_torchvision import define_missing_operators

    define_missing_operators()
    from dreamsim import dreamsim
    from dreamsim.feature_extraction.vision_transformer import VisionTransformer

    wide = sizes["hidden_size"]

    def dino(repository: str, name: str) -> torch.nn.Module:
        """Stand in for `torch.hub.load`, which runs DINO's code from the network: the package has a copy of it."""
        assert (repository, name) == ("facebookresearch/dino:main", "dino_vitb16")
        made = VisionTransformer(
            patch_size=sizes["patch_size"], embed_dim=wide, depth=sizes["num_hidden_layers"],
            num_heads=sizes["num_attention_heads"], mlp_ratio=sizes["intermediate_size"] / wide, qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        )  # fmt: skip
        made.load_state_dict(torch.load(folder / "checkpoints/dino_vitbase16_pretrain.pth", weights_only=True))
        return made

    torch.hub.load = dino
    head = [f"mlp.{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")]  # unread by these embeddings
    student = {f"module.head.{name}": torch.zeros(1) for name in (*head, "last_layer.weight")}
    torch.save({"student": student}, folder / "dino_vitb16_pretrain.pth")
    model, preprocess = dreamsim(dreamsim_type="dino_vitb16", device="cpu", cache_dir=str(folder))
    images = [preprocess(Image.fromarray(pixels)) for pixels in np.load(folder / "images.npy")]
    with torch.inference_mode():
        distances = [model(one, other).item() for one, other in combinations(images, 2)]
        embeddings = [model.embed(image)[0].tolist() for image in images]
    (folder / "values.json").write_text(json.dumps([*distances, *(value for row in embeddings for value in row)]))


if __name__ == "__main__":
    for path in json.loads(sys.argv[3]):
        site.addsitedir(path)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
