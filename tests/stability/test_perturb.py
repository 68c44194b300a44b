"""The context manager: what it leaves behind, whom it touches and when."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, SlicedAttnProcessor
from torch import Tensor, nn

from skewbench.stability import Knob, Recorder, Skew, Temperature, Vanilla, perturb, self_attention_blocks
from tests.stability.dispatch import Operations
from tests.stability.models import call, layer, tiny_unet

STRONG = Skew(0.0, 3.0)


def state(model: nn.Module) -> dict[str, Any]:
    """What `perturb` must leave as it found it: the processors, and all hooks."""
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        found[name] = (
            getattr(module, "processor", None),
            dict(module._forward_pre_hooks),
            dict(module._forward_hooks),
            module.__dict__.get("forward"),
        )
    return found


def assert_untouched(model: nn.Module, before: dict[str, Any]) -> None:
    assert state(model) == before


@pytest.mark.parametrize("knob", [Vanilla(), Skew(1.0, 5.0), Temperature(1.0), STRONG])
@pytest.mark.parametrize("measured", [False, True])
def test_the_models_own_output(knob: Knob, measured: bool) -> None:
    unet = tiny_unet()
    before, own = state(unet), call(unet)
    with perturb(unet, knob, Recorder() if measured else None, samples=1):
        output = call(unet)
    close = torch.allclose(output, own, rtol=1e-5, atol=1e-5)
    assert close == (knob != STRONG)
    if knob == Vanilla():
        assert torch.equal(output, own)
    assert_untouched(unet, before)
    assert torch.equal(call(unet), own)


def test_a_whole_pipeline_is_told_which_part_is_wanted() -> None:
    given: Any = SimpleNamespace(unet=tiny_unet())
    with pytest.raises(TypeError, match=r"SimpleNamespace: give its model, `pipeline\.unet`"), perturb(given, STRONG):
        pass
    given = "unet"
    with pytest.raises(TypeError, match="str: give a torch module"), perturb(given, STRONG):
        pass


def test_restored_after_an_exception_and_after_nesting() -> None:
    unet = tiny_unet()
    before, own = state(unet), call(unet)
    with pytest.raises(KeyboardInterrupt), perturb(unet, STRONG, Recorder()):
        raise KeyboardInterrupt
    assert_untouched(unet, before)

    with perturb(unet, STRONG):
        strong = call(unet)
    with perturb(unet, STRONG):
        outer = state(unet)
        with perturb(unet, Skew(0.5, 1.0, blocks="up"), Recorder()):
            inner = call(unet)
        assert_untouched(unet, outer)
        assert torch.equal(call(unet), strong)
        with perturb(unet, Vanilla()):
            assert torch.equal(call(unet), own)
        with pytest.raises(ValueError, match="matches no"), perturb(unet, Skew(1.1, 1.0, blocks="sideways")):
            pass
        assert torch.equal(call(unet), strong)
    with perturb(unet, Skew(0.5, 1.0, blocks="up")):
        assert torch.equal(call(unet), inner)  # the inner one took the outer one's place
    assert_untouched(unet, before)


def test_an_error_within_the_models_call_leaves_nothing() -> None:
    unet = tiny_unet()
    before = state(unet)
    with pytest.raises(ValueError, match="samples=3: the model was given 2 rows"), perturb(unet, STRONG, samples=3):
        call(unet)
    assert_untouched(unet, before)


def test_cross_attention_and_other_blocks_are_left_alone() -> None:
    unet, recorder = tiny_unet(), Recorder(detail="mean")
    with perturb(unet, Skew(0.5, 2.0, blocks="mid"), recorder, samples=1):
        call(unet)
    rows = recorder.to_arrow().to_pylist()
    assert {row["block_name"] for row in rows} == {block.name for block in self_attention_blocks(unet)}
    assert {row["stage"] for row in rows if row["alpha_eff"] == 0.5} == {"mid"}
    assert all(row["alpha_eff"] == 1.0 for row in rows if row["stage"] != "mid")


def test_measuring_changes_nothing() -> None:
    unet = tiny_unet()
    knob = Skew(0.5, 2.0, blocks=["up", "attn1$"], adapt_alpha="dev", adapt_beta=True)
    with perturb(unet, knob, samples=1):
        unmeasured = call(unet)
    with perturb(unet, knob, Recorder(columns=3), samples=1):
        assert torch.equal(call(unet), unmeasured)


@pytest.mark.parametrize(
    "options",
    [
        {"bias": True, "residual_connection": True, "rescale_output_factor": 1.5, "norm_num_groups": 4},
        {"qk_norm": "layer_norm"},
        {"scale_qk": False},  # diffusers gives it an AttnProcessor
        {"processor": AttnProcessor()},
    ],
    ids=lambda options: ",".join(options),
)
@pytest.mark.parametrize("image", [False, True])
def test_every_other_part_of_the_layer(options: dict[str, object], image: bool) -> None:
    attention = layer(**options)
    check_all_but_attention(attention, torch.randn(2, 24, 4, 4) if image else torch.randn(2, 16, 24))


def test_spatial_norm() -> None:
    attention = layer(width=32, spatial_norm_dim=6, norm_num_groups=4)
    check_all_but_attention(attention, torch.randn(2, 32, 4, 4), temb=torch.randn(2, 6, 2, 2))


def check_all_but_attention(attention: Attention, x: Tensor, **more: Tensor) -> None:
    own = attention(x, **more)
    for knob in (Vanilla(), Skew(1.0, 3.0), Temperature(1.0)):
        with perturb(attention, knob, Recorder()):
            torch.testing.assert_close(attention(x, **more), own, rtol=1e-5, atol=1e-5)
    with perturb(attention, STRONG):
        assert not torch.allclose(attention(x, **more), own, rtol=1e-3, atol=1e-3)


class Adapted(nn.Module):
    """A value projection with something added to it, as a low-rank adapter does."""

    def __init__(self, own: nn.Linear) -> None:
        super().__init__()
        self.own, self.weight, self.bias = own, own.weight, own.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.own(x) + x.roll(1, -1)


@pytest.mark.parametrize("bias", [False, True])
def test_a_value_projection_that_is_more_than_a_matrix(bias: bool) -> None:
    """The short way to the heads' output, by the projection's matrix, is for a plain projection alone."""
    adapted, merged, x = layer(bias=bias), layer(bias=bias), torch.randn(2, 9, 24)
    adapted.to_v = Adapted(adapted.to_v)
    merged.to_v.weight += torch.eye(24).roll(1, 0)
    hooked = layer(bias=bias)
    hooked.to_v.register_forward_hook(lambda module, inputs, output: output + inputs[0].roll(1, -1))
    outputs = []
    for attention in (merged, adapted, hooked):
        with perturb(attention, STRONG):
            outputs.append(attention(x))
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[2], outputs[0], rtol=1e-4, atol=1e-5)


def test_a_model_without_self_attention() -> None:
    with pytest.raises(ValueError, match="Linear has no self-attention"), perturb(nn.Linear(2, 2), Vanilla()):
        pass


def test_what_cannot_be_perturbed_says_so() -> None:
    attention, x = layer(), torch.randn(2, 9, 24)
    with perturb(attention, STRONG), pytest.raises(ValueError, match="differs between queries"):
        attention(x, attention_mask=torch.zeros(4, 9, 9))
    own = attention(x, encoder_hidden_states=x + 1)
    with pytest.warns(UserWarning, match="called as cross-attention: attention"), perturb(attention, STRONG):
        assert torch.equal(attention(x, encoder_hidden_states=x + 1), own)
    normed = layer(qk_norm="layer_norm", processor=AttnProcessor())
    with perturb(normed, STRONG), pytest.raises(ValueError, match="set AttnProcessor2_0"):
        normed(x)
    for name in ("samples", "steps"):
        with (
            pytest.raises(ValueError, match=f"{name}=0: must be an integer >= 1"),
            perturb(attention, STRONG, **{name: 0}),
        ):
            pass


class Linear:
    """A processor without softmax, as those of linear attention."""

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        q, k, v = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        return q.relu() @ (k.relu().mT @ v)


def test_a_layer_without_softmax_is_an_error_by_name() -> None:
    attention, x = layer(processor=Linear()), torch.randn(2, 9, 24)
    before = state(attention)
    for arguments in ((STRONG,), (Vanilla(), Recorder())):
        with (
            perturb(attention, *arguments),
            pytest.raises(
                RuntimeError, match=r"attention \(Linear\) did not call torch's scaled_dot_product_attention"
            ),
        ):
            attention(x)
    with perturb(attention, Vanilla()):
        attention(x)
    assert_untouched(attention, before)


@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("change", ["fused", "sliced", "classic"])
def test_processors_of_another_kind_keep_knob_and_recorder(change: str, when: str) -> None:
    """Fused projections, sliced and classic attention, set before or within `perturb`: the knob acts all the same."""

    def changed(unet: Any) -> None:
        if change == "fused":
            unet.fuse_qkv_projections()
        elif change == "sliced":
            unet.set_attention_slice(1)
        else:
            unet.set_attn_processor(AttnProcessor())

    unet, recorder = tiny_unet(), Recorder()
    with perturb(unet, STRONG, recorder, samples=1):
        expected = call(unet)
    rows = recorder.to_arrow()
    if when == "before":
        changed(unet)
    with perturb(unet, STRONG, recorder, samples=1):
        if when == "within":
            changed(unet)
        torch.testing.assert_close(call(unet), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        torch.tensor(recorder.to_arrow()["energy"].to_pylist()), torch.tensor(rows["energy"].to_pylist())
    )
    if change == "sliced":
        assert isinstance(
            unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn1").processor, SlicedAttnProcessor
        )


def test_padded_tokens_are_left_out() -> None:
    """A mask that hides tokens gives what the layer gives without them, measures too."""
    attention, x = layer(), torch.randn(2, 9, 24)
    mask = torch.zeros(2, 1, 9)
    mask[..., 6:] = -10_000.0
    tables, outputs = [], []
    for tokens, hidden in ((x[:, :6], None), (x, mask)):
        recorder = Recorder()
        with perturb(attention, Skew(1.5, 2.0, "dev"), recorder):
            outputs.append(attention(tokens, attention_mask=hidden))
        tables.append(recorder.to_arrow())
    torch.testing.assert_close(outputs[1][:, :6], outputs[0], rtol=1e-4, atol=1e-5)
    for name in ("energy", "instability", "alignment", "symmetry", "symmetry_raw"):
        without, padded = (torch.tensor(table[name].to_pylist()) for table in tables)
        torch.testing.assert_close(padded, without, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("adapt", ["off", "dev"])
@pytest.mark.parametrize("knob", ["skew", "temperature", "vanilla"])
def test_nothing_waits_for_the_device(knob: str, adapt: str) -> None:
    """Neither on the meta device, where a value cannot be read, nor by any operation that reads one."""
    settings = {"skew": Skew(1.1, 3.0, adapt, True), "temperature": Temperature(0.9), "vanilla": Vanilla()}
    attention, recorder = layer(), Recorder(columns=5)
    x = torch.randn(4, 9, 24)
    with perturb(attention, settings[knob], recorder, samples=2), Operations() as operations:
        attention(x)
    assert not operations.count.keys() & {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "item"}
    with perturb(attention.to("meta"), settings[knob], recorder, samples=2):
        assert attention(x.to("meta")).shape == x.shape


@pytest.mark.parametrize("knob", [Skew(1.2, 3.0), Skew(1.2, 3.0, "dev", True), Temperature(0.8), Vanilla()])
def test_a_samples_neighbours_do_not_matter(knob: Knob) -> None:
    unet = tiny_unet()
    recorder = Recorder()
    with perturb(unet, knob, recorder):
        together = call(unet, rows=3)
    table = recorder.to_arrow()
    for i in range(3):
        with perturb(unet, knob, recorder):
            alone = call(unet, rows=1, seed=i)
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-4)
        mine = table.filter([sample == i for sample in table["sample"].to_pylist()])
        for name in ("energy", "instability", "alignment", "symmetry", "symmetry_raw"):
            one, many = (torch.tensor(rows[name].to_pylist()) for rows in (recorder.to_arrow(), mine))
            torch.testing.assert_close(one, many, rtol=1e-3, atol=1e-3)


def test_eta_is_shared_by_a_samples_branches_and_by_nobody_else() -> None:
    attention, x = layer(), torch.randn(4, 9, 24)
    x[0] *= 3  # sample 0's first branch alone is unlike the rest
    recorder = Recorder()

    def alphas(knob: Skew, samples: int | None) -> list[float]:
        with perturb(attention, knob, recorder, samples=samples):
            attention(x)
        rows = recorder.to_arrow().sort_by([("branch", "descending"), ("sample", "ascending")])
        return rows["alpha_eff"].to_pylist()  # uncond 0, 1, cond 0, 1

    etas = {}
    with perturb(attention, Vanilla(), recorder):
        attention(x)
    etas = torch.tensor(recorder.to_arrow()["symmetry_raw"].to_pylist())
    dev = Skew(1.5, 2.0, adapt_alpha="dev")
    pairs = etas.view(2, 2).mean(0).repeat(2)
    torch.testing.assert_close(torch.tensor(alphas(dev, samples=2)), 1 + 0.5 * pairs)
    torch.testing.assert_close(torch.tensor(alphas(dev, samples=None)), 1 + 0.5 * etas)
    scale = Skew(1.5, 2.0, adapt_alpha="scale", eta_scope="batch")
    torch.testing.assert_close(torch.tensor(alphas(scale, samples=2)), (1.5 * etas.mean()).expand(4))


def test_a_sample_that_is_not_finite_spoils_no_other() -> None:
    attention, x = layer(), torch.randn(3, 9, 24)
    x[1, 2, 3] = float("nan")
    recorder = Recorder()
    with perturb(attention, Skew(1.2, 3.0, "dev", True), recorder):
        output = attention(x)
    assert output.isfinite().all((1, 2)).tolist() == [True, False, True]
    for name in ("energy", "instability", "alignment", "symmetry", "symmetry_raw", "alpha_eff", "beta_eff"):
        values = recorder.to_arrow()[name].to_pylist()
        assert torch.tensor(values).isfinite().tolist() == [True, False, True]  # NaN, not NULL: tensor() takes no None
