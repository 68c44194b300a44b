"""Every class of attention of diffusers: which blocks there are, what the knob does, and what is measured."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from skewbench.stability import Recorder, Skew, Temperature, Vanilla, measure, perturb, self_attention_blocks
from skewbench.vocabulary.measures import NAMES
from tests.stability.denoisers import DENOISERS, TEXT, Denoiser, make

JOINT = {"stable-diffusion-3", "flux", "qwen-image", "lumina-2", "deepfloyd-if"}
"""Those with text tokens among the keys of a self-attention."""
BLOCKS = {
    "stable-diffusion-1.5": (
        ["down_blocks.0.attentions.0.transformer_blocks.0.attn1", "mid_block.attentions.0.transformer_blocks.0.attn1"]
        + [f"up_blocks.1.attentions.{i}.transformer_blocks.0.attn1" for i in (0, 1)]
    ),
    "stable-diffusion-3": ["transformer_blocks.0.attn", "transformer_blocks.0.attn2", "transformer_blocks.1.attn"],
    "flux": ["transformer_blocks.0.attn", *(f"single_transformer_blocks.{i}.attn" for i in (0, 1))],
    "qwen-image": [f"transformer_blocks.{i}.attn" for i in (0, 1)],
    "lumina-2": ["noise_refiner.0.attn", "layers.0.attn", "layers.1.attn"],
    "wan": [f"blocks.{i}.attn1" for i in (0, 1)],
    "pixart": [f"transformer_blocks.{i}.attn1" for i in (0, 1)],
    "hunyuan-dit": [f"blocks.{i}.attn1" for i in (0, 1)],
    "deepfloyd-if": ["down_blocks.1.attentions.0", "mid_block.attentions.0"]
    + [f"up_blocks.0.attentions.{i}" for i in (0, 1)],
    "audioldm": [
        f"{place}.transformer_blocks.0.attn{i}"
        for place in (
            "down_blocks.1.attentions.0",
            "mid_block.attentions.0",
            "up_blocks.0.attentions.0",
            "up_blocks.0.attentions.1",
        )
        for i in (1, 2)
    ],
}
"""Their self-attentions, as diffusers' documentation and code have them."""


@pytest.fixture(params=DENOISERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_blocks(name: str) -> None:
    blocks = self_attention_blocks(make(name).model)
    assert [block.name for block in blocks] == BLOCKS[name]
    stages = [block.stage for block in blocks]
    if name in ("stable-diffusion-1.5", "deepfloyd-if", "audioldm"):
        assert set(stages) == {"down", "mid", "up"}
    else:
        assert [block.number for block in blocks] == list(range(len(blocks)))
        assert stages == ["early", "middle", "late"][: len(blocks)]


def test_measuring_changes_no_bit_and_every_block_is_measured(name: str) -> None:
    denoiser, recorder = make(name), Recorder(columns=5)
    own = denoiser()
    with perturb(denoiser.model, Vanilla(), recorder, samples=1):
        assert torch.equal(denoiser(), own)
    table = recorder.to_arrow()
    assert table["block_name"].to_pylist()[::2] == BLOCKS[name]
    for column in NAMES:
        values = [value for value in table[column].to_pylist() if value is not None]
        assert torch.tensor(values).isfinite().all(), column
        assert len(values) == table.num_rows or column == "text_mass"


def test_the_neutral_setting_is_the_models_own(name: str) -> None:
    denoiser = make(name)
    own = denoiser()
    for knob in (Skew(1.0, 5.0), Skew(1.0, 5.0, adapt_beta=True), Temperature(1.0)):
        with perturb(denoiser.model, knob, Recorder(), samples=1):
            torch.testing.assert_close(denoiser(), own, rtol=1e-5, atol=1e-5)
    with perturb(denoiser.model, Skew(1.5, 3.0)):
        assert not torch.allclose(denoiser(), own, rtol=1e-3, atol=1e-3)


def test_a_rows_neighbours_do_not_matter(name: str) -> None:
    """Also where the other row's text is longer, so that this one is padded in the batch and not alone."""
    denoiser, recorder = make(name), Recorder()
    knob = Skew(1.3, 2.0, "dev", True)
    with perturb(denoiser.model, knob, recorder):
        together = denoiser()
    table = recorder.to_arrow().to_pylist()
    for row in range(2):
        with perturb(denoiser.model, knob, recorder):
            alone = denoiser(row)
        torch.testing.assert_close(alone[0], together[row], rtol=1e-3, atol=1e-4)
        mine = [each for each in table if each["sample"] == row]
        for one, other in zip(recorder.to_arrow().to_pylist(), mine, strict=True):
            measured = [column for column in NAMES if one[column] is not None]
            assert measured == [column for column in NAMES if other[column] is not None]
            for column in measured:
                assert one[column] == pytest.approx(other[column], rel=1e-3, abs=1e-3)


def test_text_has_a_share_of_attention_where_it_is_among_the_keys(name: str) -> None:
    denoiser, recorder = make(name), Recorder()
    with perturb(denoiser.model, Vanilla(), recorder):
        denoiser()
    rows = recorder.to_arrow().to_pylist()
    alone = {"stable-diffusion-3": ["transformer_blocks.0.attn2"], "lumina-2": ["noise_refiner.0.attn"]}
    for row in rows:
        joint = name in JOINT and row["block_name"] not in alone.get(name, ())
        assert (row["text_mass"] is not None) == joint
        assert not joint or 0 < row["text_mass"] < 1


def test_text_without_tokens_has_no_share() -> None:
    """As of an empty prompt whose tokenizer adds no token of its own."""
    denoiser, recorder = make("lumina-2"), Recorder()
    denoiser.given["encoder_attention_mask"].zero_()
    with perturb(denoiser.model, Skew(1.3, 2.0), recorder):
        assert denoiser().isfinite().all()
    shares = {row["block_name"]: row["text_mass"] for row in recorder.to_arrow().to_pylist()}
    assert shares == {"noise_refiner.0.attn": None, "layers.0.attn": 0.0, "layers.1.attn": 0.0}


class Spy(TorchFunctionMode):
    """Keeps every call of torch's softmax attention with at least so many keys as its first."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            names = ("query", "key", "value", "attn_mask")
            self.calls.append({**dict(zip(names, args, strict=False)), **(kwargs or {})})
        return func(*args, **(kwargs or {}))


IMAGE = {
    # where the image's tokens stand in the first self-attention that has text: of each row
    "stable-diffusion-3": [range(16)] * 2,
    "flux": [range(TEXT, TEXT + 16)] * 2,
    "qwen-image": [range(TEXT, TEXT + 16)] * 2,
    "lumina-2": [range(5, 21), range(3, 19)],
    "deepfloyd-if": [range(TEXT, TEXT + 16)] * 2,
}


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("joint", sorted(JOINT))
def test_joint_attention_is_its_definition(joint: str, single: bool) -> None:
    """The knob on M_II, the text's logits as they are; text rows untouched; text mass and measures of P_II X_I."""
    denoiser = make(joint)
    names = BLOCKS[joint]
    block = names[{"lumina-2": 1, "flux": int(single)}.get(joint, 0)]
    layer: Any = denoiser.model.get_submodule(block)
    seen: dict[str, Tensor] = {}
    first = lambda key: lambda module, inputs: seen.__setitem__(key, inputs[0])  # noqa: E731
    hooks = [layer.to_v.register_forward_pre_hook(first("x"))]
    outputs = {"image": getattr(layer, "to_out", None), "text": getattr(layer, "to_add_out", None)}
    spy = _spied(denoiser, layer)
    whole = outputs["image"] is None  # the layer ends with its heads
    if whole:
        hooks.append(layer.register_forward_hook(lambda module, inputs, output: seen.__setitem__("image", output)))
    for key, projection in outputs.items():
        if projection is not None:
            hooks.append((projection[0] if key == "image" else projection).register_forward_pre_hook(first(key)))
    recorder = Recorder(detail="heads")
    number = next(each.number for each in self_attention_blocks(denoiser.model) if each.name == block)
    with perturb(denoiser.model, Skew(1.7, 2.5, blocks=number), recorder):
        denoiser()
    for hook in hooks:
        hook.remove()
    rows = [row for row in recorder.to_arrow().to_pylist() if row["block_name"] == block]
    for row in range(2):
        expected = _by_definition(spy, row, list(IMAGE[joint][row]), seen["x"], alpha=1.7, beta=2.5)
        got = seen["image"][row]
        if len(got) != len(expected["image"]):  # one stream: image and text leave together
            where = torch.zeros(len(got), dtype=torch.bool)
            where[list(IMAGE[joint][row])] = True
            texts = [i for i in range(len(got)) if not where[i]][: 3 if joint == "lumina-2" and row else TEXT]
            torch.testing.assert_close(got[texts], expected["text"][: len(texts)], rtol=1e-4, atol=1e-5)
            got = got[where]
        torch.testing.assert_close(got, expected["image"], rtol=1e-4, atol=1e-5)
        if "text" in seen and len(seen["text"][row]) == len(expected["text"]):
            torch.testing.assert_close(seen["text"][row], expected["text"], rtol=1e-4, atol=1e-5)
        for column in ("text_mass", "energy", "alignment"):
            torch.testing.assert_close(
                torch.tensor(rows[row][f"{column}_heads"][0]), expected[column], rtol=1e-3, atol=1e-5
            )


def _spied(denoiser: Denoiser, layer: Any) -> dict[str, Any]:
    """The layer's own call of torch's softmax, without a knob."""
    spy = Spy()
    hooks = [
        layer.register_forward_pre_hook(lambda *_: spy.__enter__() and None),
        layer.register_forward_hook(lambda *_: spy.__exit__(None, None, None)),
    ]
    denoiser()
    for hook in hooks:
        hook.remove()
    (call,) = spy.calls
    return call


def _by_definition(
    call: dict[str, Any], row: int, image: list[int], x: Tensor, alpha: float, beta: float
) -> dict[str, Tensor]:
    """One row, with full matrices: everything from M, its parts and one softmax over text and image."""
    q, k, v = (call[key][row] for key in ("query", "key", "value"))
    scale = call.get("scale") or q.shape[-1] ** -0.5
    mask = call.get("attn_mask")
    text = [i for i in range(k.shape[1]) if i not in image]
    if mask is not None:
        visible = mask[row, 0, -1]
        text = [i for i in text if visible[i]]
    q_image = q[:, image] if q.shape[1] == k.shape[1] else q
    m = q_image @ k[:, image].mT
    to_text = q_image @ k[:, text].mT
    perturbed = (m + m.mT) / 2 + alpha * (m - m.mT) / 2
    p, p_alpha = ((scale * torch.cat([to_text, block], dim=-1)).softmax(-1) for block in (m, perturbed))
    blended = p + beta * (p_alpha - p)
    values = torch.cat([v[:, text], v[:, image]], dim=1)
    out = (blended @ values).transpose(0, 1).flatten(1)
    features = x[row] if x.shape[1] == len(image) else x[row, image]
    xi = blended[..., len(text) :] @ features
    measured = measure(xi[None], q_image[None], k[None, :, image])
    found = {
        "image": out,
        "text_mass": blended[..., : len(text)].sum(-1).mean(-1),
        "energy": measured.energy[0].mean(-1),
        "alignment": measured.alignment[0].mean(-1),
    }
    if q.shape[1] == k.shape[1]:
        every = sorted([*text, *image])
        plain = (scale * q[:, text] @ k[:, every].mT).softmax(-1) @ v[:, every]
        found["text"] = plain.transpose(0, 1).flatten(1)
    return found
