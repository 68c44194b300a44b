"""What comes out as Arrow."""

import math
from collections import defaultdict

import pyarrow as pa
import pytest
import torch

from skewbench.stability import (
    Recorder,
    Skew,
    Temperature,
    Vanilla,
    measure,
    perturb,
    self_attention_blocks,
    symmetry_index,
)
from skewbench.stability.retrieval import retrieval
from skewbench.stability.softmax import SoftmaxCall
from skewbench.storage.tables.stability import STABILITY
from skewbench.vocabulary.measures import NAMES as ALL_NAMES
from tests.stability.dispatch import Operations
from tests.stability.models import call, heads_of, layer, tiny_unet

NAMES = tuple(name for name in ALL_NAMES if name != "text_mass")
"""The measures of a layer without text."""


def test_columns_are_the_lakes() -> None:
    unet, recorder = tiny_unet(), Recorder()
    with perturb(unet, Vanilla(), recorder, samples=1):
        call(unet)
    schema = recorder.to_arrow().schema
    assert schema.field("sample").type == pa.int32()
    ids = {"sample_id", "pair_id", "cell", "prompt_id", "seed"}
    lake = {field.name: field for field in STABILITY.schema if field.name not in ids}
    assert {field.name: field for field in schema if field.name != "sample"} == lake


def test_rows_are_samples_blocks_and_branches() -> None:
    unet, recorder = tiny_unet(), Recorder()
    with perturb(unet, Vanilla(), recorder, samples=2):
        call(unet, rows=4)
    table = recorder.to_arrow()
    blocks = self_attention_blocks(unet)
    keys = list(zip(*(table[name].to_pylist() for name in ("sample", "block", "branch")), strict=True))
    assert keys == [(i, block.number, branch) for i in range(2) for block in blocks for branch in ("uncond", "cond")]
    stages = {block.number: (block.name, block.stage) for block in blocks}
    for row in table.select(["block", "block_name", "stage"]).to_pylist():
        assert stages[row["block"]] == (row["block_name"], row["stage"])
    with perturb(unet, Vanilla(), recorder):
        call(unet, rows=3)
    assert set(recorder.to_arrow()["branch"].to_pylist()) == {"cond"}  # reused: the first batch is forgotten


def test_values_are_the_direct_ones() -> None:
    attention = layer()
    xs = [torch.randn(2, 9, 24, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    recorder = Recorder(detail="heads")
    with perturb(attention, Vanilla(), recorder, samples=1):
        for x in xs:
            attention(x)
    by_branch = {row["branch"]: row for row in recorder.to_arrow().to_pylist()}
    for row, branch in enumerate(("uncond", "cond")):
        direct: dict[str, list[torch.Tensor]] = defaultdict(list)
        for x in xs:
            q, k = (heads[row : row + 1] for heads in heads_of(attention, x))
            own = x[row : row + 1]
            measures = measure(retrieval(SoftmaxCall(q, k, own, own, attention.scale)).xi, q, k)
            for name, values in measures._asdict().items():
                direct[name].append(values.mean(-1)[0])
            direct["symmetry"].append(symmetry_index(q, k, center=True)[0])
            direct["symmetry_raw"].append(symmetry_index(q, k)[0])
        for name in direct:
            heads = torch.stack(direct[name])
            for column, wanted in ((f"{name}_heads", heads), (f"{name}_steps", heads.mean(1)), (name, heads.mean())):
                torch.testing.assert_close(torch.tensor(by_branch[branch][column]), wanted, rtol=1e-5, atol=1e-5)
        assert by_branch[branch]["steps"] == [0, 1, 2]
        assert by_branch[branch]["alpha_eff_steps"] == [1.0] * 3
        assert by_branch[branch]["beta_eff_steps"] == [0.0] * 3


@pytest.mark.parametrize(("detail", "filled"), [("mean", ()), ("steps", ("_steps",)), ("heads", ("_steps", "_heads"))])
def test_detail(detail: str, filled: tuple[str, ...]) -> None:
    attention, recorder = layer(), Recorder(detail=detail)
    with perturb(attention, Vanilla(), recorder):
        attention(torch.randn(2, 9, 24))
    table = recorder.to_arrow()
    for name in table.column_names:
        is_detail = name.endswith(("_steps", "_heads"))
        if name.startswith("text_mass"):  # there is no text here
            assert table[name].null_count == 2
            continue
        assert table[name].null_count == (2 if is_detail and not name.endswith(filled) else 0), name


def test_what_is_not_measured_is_null() -> None:
    attention, recorder = layer(), Recorder(measures=("symmetry", "energy"))
    with perturb(attention, Skew(1.1, 3.0), recorder):
        attention(torch.randn(2, 9, 24))
    table = recorder.to_arrow()
    nulls = {name for name in table.column_names if table[name].null_count == 2 and not name.endswith("_heads")}
    missing = {"text_mass", *NAMES} - {"symmetry", "energy"}
    assert nulls == {f"{name}{suffix}" for name in missing for suffix in ("", "_steps")}


def test_symmetry_alone_needs_no_retrieval() -> None:
    attention, recorder = layer(width=24, heads=2), Recorder(measures=("symmetry", "symmetry_raw"))
    with perturb(attention, Vanilla(), recorder), Operations() as operations:
        attention(torch.randn(1, 50, 24))
    assert operations.largest <= 2 * 50 * 24
    assert recorder.to_arrow()["energy"].null_count == 1


def test_a_temperature_has_no_alpha() -> None:
    unet, recorder = tiny_unet(), Recorder()
    with perturb(unet, Temperature(0.7, blocks="mid", window=(0.5, 1.0)), recorder, steps=2, samples=1):
        call(unet)
        call(unet)
    for row in recorder.to_arrow().to_pylist():
        untouched = row["stage"] != "mid"
        assert (row["alpha_eff"], row["beta_eff"]) == ((1.0, 0.0) if untouched else (None, None))
        assert row["alpha_eff_steps"] == ([1.0, 1.0] if untouched else [1.0, None])


def test_every() -> None:
    attention, recorder = layer(), Recorder(every=3)
    with perturb(attention, Vanilla(), recorder):
        for _ in range(8):
            attention(torch.randn(1, 9, 24))
    assert recorder.to_arrow()["steps"].to_pylist() == [[0, 3, 6]]


def test_columns_are_drawn_by_seed_and_block_alone() -> None:
    blocks = self_attention_blocks(tiny_unet())
    device = torch.device("cpu")

    def columns(**settings: int) -> list[list[int]]:
        recorder = Recorder(**settings)
        recorder.start((block, device) for block in blocks)
        return [recorder.columns_of(block, device).tolist() for block in blocks]

    torch.manual_seed(5)
    first = columns(columns=6)
    torch.manual_seed(6)
    assert columns(columns=6) == first
    assert columns(columns=6, seed=1) != first
    assert len({tuple(drawn) for drawn in first}) > 1
    assert all(len(set(drawn)) == 6 and max(drawn) < block.width for drawn, block in zip(first, blocks, strict=True))


def test_measures_of_some_columns_are_those_of_all() -> None:
    attention, x = layer(), torch.randn(2, 9, 24)
    some, every = Recorder(columns=5), Recorder(columns=99)
    q, k = heads_of(attention, x)
    wanted = measure(retrieval(SoftmaxCall(q, k, x, x, attention.scale)).xi, q, k)
    for recorder in (some, every):
        with perturb(attention, Vanilla(), recorder):
            attention(x)
        columns = recorder.columns_of(self_attention_blocks(attention)[0], x.device)
        for name, values in wanted._asdict().items():
            ours = torch.tensor(recorder.to_arrow()[name].to_pylist())
            torch.testing.assert_close(ours, values[..., columns].mean((1, 2)), rtol=1e-5, atol=1e-5)
    assert every.columns_of(self_attention_blocks(attention)[0], x.device) == slice(None)


def test_one_copy_from_the_device() -> None:
    unet, recorder = tiny_unet(), Recorder(detail="heads")
    with perturb(unet, Skew(1.1, 3.0, "dev"), recorder, samples=1):
        for _ in range(3):
            call(unet)
    with Operations() as operations:
        recorder.to_arrow()
    assert operations.count["cat"] == 1
    assert not operations.count.keys() & {"_local_scalar_dense", "stack"}


def test_infinities_and_nan_are_values_not_null() -> None:
    attention, x = layer(), torch.full((1, 9, 24), 1e30)
    recorder = Recorder(detail="heads")
    with perturb(attention, Vanilla(), recorder):
        attention(x)
    row = recorder.to_arrow().to_pylist()[0]
    for name in NAMES:
        assert not math.isfinite(row[name])
        assert not any(map(math.isfinite, row[f"{name}_heads"][0]))


def test_opposite_infinities_have_no_mean() -> None:
    recorder, block = Recorder(measures=("energy",)), self_attention_blocks(layer())[0]
    recorder.write(block, 0, ("cond",), {"energy": torch.tensor([[math.inf, 1.0], [1.0, 3.0]])}, {})
    recorder.write(block, 1, ("cond",), {"energy": torch.tensor([[-math.inf, 1.0], [3.0, 5.0]])}, {})
    energy = recorder.to_arrow().select(["energy", "energy_steps"]).to_pylist()
    assert math.isnan(energy[0]["energy"])
    assert energy[0]["energy_steps"] == [math.inf, -math.inf]
    assert energy[1] == {"energy": 3.0, "energy_steps": [2.0, 4.0]}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"measures": ("entropy",)}, "Recorder.measures=('entropy',): must be some of energy"),
        ({"measures": ()}, "Recorder.measures=(): must be some of energy"),
        ({"every": 0}, "Recorder.every=0: must be an integer >= 1"),
        ({"detail": "all"}, "Recorder.detail='all': must be one of 'mean', 'steps', 'heads'"),
        ({"columns": 0}, "Recorder.columns=0: must be"),
        ({"columns": "some"}, "Recorder.columns='some': must be"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match="Recorder") as error:
        Recorder(**settings)
    assert str(error.value).startswith(line)


def test_batches_that_do_not_fit_say_so() -> None:
    attention, recorder = layer(), Recorder()
    with pytest.raises(ValueError, match="nothing was recorded"):
        recorder.to_arrow()
    with perturb(attention, Vanilla(), recorder, samples=1), pytest.raises(ValueError, match="4 branches"):
        attention(torch.randn(4, 9, 24))
    with perturb(attention, Vanilla(), recorder):
        attention(torch.randn(2, 9, 24))
        with pytest.raises(ValueError, match="3 samples after 2"):
            attention(torch.randn(3, 9, 24))
