"""Which of the model's calls is which: windows, the number of calls, and models that do not call what they hold."""

import pytest
import torch
from diffusers import AutoencoderKL

from skewbench.stability import Loop, Recorder, Skew, Vanilla, perturb
from tests.stability.models import call, layer, tiny_unet


def test_window() -> None:
    attention, x = layer(), torch.randn(2, 9, 24)
    own = attention(x)
    recorder = Recorder()
    with perturb(attention, Skew(0.5, 2.0, window=(0.25, 0.75)), recorder, steps=4):
        changed = [not torch.equal(attention(x), own) for _ in range(4)]
    assert changed == [False, True, True, False]
    table = recorder.to_arrow()
    assert table["steps"][0].as_py() == [0, 1, 2, 3]
    assert table["alpha_eff_steps"][0].as_py() == [1.0, 0.5, 0.5, 1.0]
    assert table["beta_eff_steps"][0].as_py() == [0.0, 2.0, 2.0, 0.0]
    with pytest.raises(ValueError, match="needs `steps`"), perturb(attention, Skew(0.5, 2.0, window=(0.25, 0.75))):
        pass


def test_calls_are_the_models_not_the_blocks() -> None:
    unet, recorder = tiny_unet(), Recorder()
    with perturb(unet, Vanilla(), recorder, samples=1):
        call(unet)
        call(unet)
    assert {tuple(steps) for steps in recorder.to_arrow()["steps"].to_pylist()} == {(0, 1)}


def test_a_call_past_the_models_forward_is_told() -> None:
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    with perturb(vae, Skew(0.0, 3.0)), pytest.raises(RuntimeError, match=r"pass the called part to perturb"):
        vae.decode(torch.randn(1, 4, 4, 4))
    plain = vae.decode(torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))).sample
    recorder = Recorder()
    with perturb(vae.decoder, Vanilla(), recorder):
        again = vae.decode(torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))).sample
    torch.testing.assert_close(again, plain)  # 4-D input, group norm, biases, residual
    assert recorder.to_arrow()["block_name"].to_pylist() == ["mid_block.attentions.0"]


def test_fewer_calls_than_steps_are_told() -> None:
    unet = tiny_unet()
    with (
        pytest.warns(UserWarning, match="steps=8: the model was called 1 times"),
        perturb(unet, Skew(0.5, 2.0, window=(0.0, 0.5)), steps=8),
    ):
        call(unet)


def test_more_calls_than_steps_are_told() -> None:
    unet = tiny_unet()
    with perturb(unet, Skew(0.5, 2.0, window=(0.0, 0.5)), steps=2):
        call(unet)
        call(unet)
        with pytest.raises(RuntimeError, match="steps=2: the model is called once more"):
            call(unet)


class Scheduler:
    """What a loop needs of one."""

    def step(self, *_: object) -> None:
        """The end of a step."""


def test_a_loop_that_calls_branch_by_branch() -> None:
    """As FLUX does; the last step leaves the second branch out, as Lumina2's may."""
    attention, x, recorder = layer(), torch.randn(2, 9, 24), Recorder(detail="steps")
    scheduler = Scheduler()
    loop = Loop(scheduler, ("cond", "uncond"))
    own = attention(x)
    changed = []
    with perturb(attention, Skew(0.5, 2.0, window=(0.25, 0.75)), recorder, samples=2, steps=4, loop=loop):
        for branches in (2, 2, 2, 1):
            changed.append([not torch.equal(attention(x), own) for _ in range(branches)])
            scheduler.step()
    assert changed == [[False, False], [True, True], [True, True], [False]]
    rows = recorder.to_arrow().to_pylist()
    assert [(row["sample"], row["branch"], row["steps"]) for row in rows] == [
        (sample, branch, steps)
        for sample in (0, 1)
        for branch, steps in (("uncond", [0, 1, 2]), ("cond", [0, 1, 2, 3]))
    ]
    assert scheduler.__dict__ == {}
    with perturb(attention, Vanilla(), loop=loop):
        attention(x)
        attention(x)
        with pytest.raises(RuntimeError, match="step 0: the model is called 3 times"):
            attention(x)
    with perturb(attention, Vanilla(), Recorder(), samples=1, loop=loop), pytest.raises(ValueError, match="2 times"):
        attention(x)
    with pytest.raises(ValueError, match="'third' is none of uncond, cond, perturbed"):
        Loop(scheduler, ("cond", "third"))


def test_a_loop_of_rows_counts_the_schedulers_steps() -> None:
    """A scheduler that steps once after two calls of the model: both are of one step."""
    attention, x, recorder, scheduler = layer(), torch.randn(2, 9, 24), Recorder(), Scheduler()
    with perturb(attention, Vanilla(), recorder, samples=1, loop=Loop(scheduler)):
        for _ in range(3):
            attention(x)
            attention(x)
            scheduler.step()
    assert recorder.to_arrow()["steps"].to_pylist() == [[0, 1, 2]] * 2
