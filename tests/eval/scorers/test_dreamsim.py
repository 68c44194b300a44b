"""DreamSim's embeddings against DINO with LoRA written out here, and files that are not of DreamSim."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from torchvision import transforms

from skewbench.eval.features.dreamsim import ADAPTER, BACKBONE, DreamSim
from skewbench.eval.scorers import Scorers
from skewbench.eval.scoring.dino_lora import VIT_B_16
from skewbench.eval.weights import WEIGHTS, BadWeights, MissingWeights
from tests.eval.scorers.tiny_dino import ALPHA, CONFIG, RANK, TINY, adapter_state, dino_state, save_dreamsim

PREPROCESS = transforms.Compose([
    transforms.Resize((224, 224), interpolation=transforms.InterpolationMode.BICUBIC),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dreamsim(tmp_path_factory.mktemp("dreamsim"))


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 64), (300, 200), (64, 64))]


def _token(image: np.ndarray, state: dict[str, Tensor], adapter: dict[str, Tensor]) -> Tensor:
    """DINO's forward of one image with LoRA beside each `qkv`, in double precision: the last block's class token."""
    state = {name: tensor.double() for name, tensor in state.items()}
    adapter = {
        name.removeprefix("base_model.model.extractor_list.0.model."): tensor for name, tensor in adapter.items()
    }

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    pixels = PREPROCESS(Image.fromarray(image))[None].double()
    patches = F.conv2d(pixels, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
    x = torch.cat([state["cls_token"][0], patches[0].flatten(1).T]) + state["pos_embed"][0]
    for layer in range(TINY["num_hidden_layers"]):
        block = f"blocks.{layer}"
        seen = norm(f"{block}.norm1", x)
        down, up = (adapter[f"{block}.attn.qkv.lora_{side}.weight"].double() for side in "AB")
        qkv = linear(f"{block}.attn.qkv", seen) + ALPHA / RANK * ((seen @ down.T) @ up.T)
        q, k, v = qkv.reshape(len(x), 3, TINY["num_attention_heads"], -1).permute(1, 2, 0, 3)
        mixed = (q @ k.mT * q.shape[-1] ** -0.5).softmax(dim=-1) @ v
        x = x + linear(f"{block}.attn.proj", mixed.transpose(0, 1).flatten(1))
        x = x + linear(f"{block}.mlp.fc2", F.gelu(linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", x))))
    return x[0]


def test_it_is_dino_with_lora_beside_its_layers(folder: Path, images: list[np.ndarray]) -> None:
    tokens = torch.stack([_token(image, dino_state(), adapter_state()) for image in images])
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    found = DreamSim(folder, sizes=TINY).images(images)
    torch.testing.assert_close(found.double(), centred / centred.norm(dim=1, keepdim=True), rtol=0, atol=1e-5)
    assert found.std(dim=0).min() > 1e-3  # the images differ in every feature
    assert DreamSim(folder, sizes=TINY).images([]).shape == (0, 24)


def test_the_adapter_decides_the_embeddings(folder: Path, tmp_path: Path, images: list[np.ndarray]) -> None:
    save_dreamsim(tmp_path)
    (tmp_path / ADAPTER / "adapter_config.json").write_text(json.dumps(CONFIG | {"lora_alpha": 2 * ALPHA}))
    one, other = (DreamSim(path, sizes=TINY).images(images) for path in (folder, tmp_path))
    assert (one - other).abs().max() > 1e-2


def test_each_image_is_computed_once(folder: Path, images: list[np.ndarray]) -> None:
    network = DreamSim(folder, sizes=TINY)
    first = network.images(images)
    network.__dict__["_model"] = None  # from here on nothing can be computed
    assert torch.equal(network.images(images[::-1]), first.flip(0))
    with pytest.raises(TypeError):
        network.images([255 - images[0]])


def _of_backbone(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    state = dino_state()
    change(state)
    torch.save(state, folder / BACKBONE)


def _of_adapter(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    path = folder / ADAPTER / "adapter_model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)


def _config(folder: Path, text: str) -> None:
    (folder / ADAPTER / "adapter_config.json").write_text(text)


_FIRST = "base_model.model.extractor_list.0.model.blocks.0.attn.qkv.lora_A.weight"
_THIRD = _FIRST.replace(".0.attn", ".2.attn")
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no backbone": (lambda folder: (folder / BACKBONE).unlink(), "contains no weights: .*No such file"),
    "training checkpoint": (
        lambda folder: torch.save({"student": dino_state()}, folder / BACKBONE), "no dictionary of tensors"
    ),
    "no qkv": (
        lambda folder: _of_backbone(folder, lambda state: state.pop("blocks.1.attn.qkv.weight")),
        r"is not DINO's ViT: blocks\.1\.attn\.qkv\.weight is missing",
    ),
    "no norm": (
        lambda folder: _of_backbone(folder, lambda state: state.pop("blocks.1.norm2.bias")),
        r"Missing key.*layers\.1\.layernorm_after\.bias",
    ),
    "a head": (
        lambda folder: _of_backbone(folder, lambda state: state.update({"head.weight": torch.ones(2)})),
        r"Unexpected key.*head\.weight",
    ),
    "no adapter": (
        lambda folder: (folder / ADAPTER / "adapter_model.safetensors").unlink(), "contains no weights: .*No such file"
    ),
    "no lora_A": (
        lambda folder: _of_adapter(folder, lambda state: state.pop(_FIRST)), rf"not the adapter of DreamSim: {_FIRST}"
    ),
    "other rank": (
        lambda folder: _of_adapter(folder, lambda state: state.update({_FIRST: torch.ones(3, 24)})),
        r"does not fit .*lora_A \(3, 24\)",
    ),
    "three layers": (
        lambda folder: _of_adapter(folder, lambda state: state.update({_THIRD: torch.ones(2)})),
        r"not the adapter of 2 layers: .*blocks\.2\.attn",
    ),
    "no config": (lambda folder: (folder / ADAPTER / "adapter_config.json").unlink(), "cannot be read: No such file"),
    "no JSON": (lambda folder: _config(folder, "{"), "not of plain LoRA on qkv: the file: Invalid JSON"),
    "DoRA": (lambda folder: _config(folder, json.dumps(CONFIG | {"use_dora": True})), "use_dora: Input should"),
    "other layers": (
        lambda folder: _config(folder, json.dumps(CONFIG | {"target_modules": ["qkv", "proj"]})), "target_modules"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_not_of_dreamsim(fault: str, tmp_path: Path, images: list[np.ndarray]) -> None:
    spoil, message = FAULTS[fault]
    spoil(save_dreamsim(tmp_path))
    with pytest.raises(BadWeights, match=message):
        DreamSim(tmp_path, sizes=TINY).images(images)


def test_the_catalogue_names_what_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: list) -> None:
    files = {f"{ADAPTER}/adapter_config.json", f"{ADAPTER}/adapter_model.safetensors"}
    assert set(WEIGHTS["dreamsim-dino-vit-b-16"].files) == {BACKBONE, *files}
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights, match="skewbench weights get dreamsim-dino-vit-b-16"):
        Scorers().features("dreamsim").images(images)
    assert DreamSim(tmp_path)._sizes is None
    assert VIT_B_16["hidden_size"] == 64 * VIT_B_16["num_attention_heads"]
