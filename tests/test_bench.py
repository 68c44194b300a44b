"""The commands that measure speed work and print their tables; how fast anything is, is not tested here."""

import json
from pathlib import Path

import pytest
import torch

from tests import scale
from tests.bench import cells, lake, layer, model, peer, pool, prompts, queries, receipts, sketch, startup
from tests.bench.rounds import alternate, ratios, spread
from tests.bench.states import PLAIN, STATES


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


def table(folder: Path, name: str, printed: str) -> list[list[str]]:
    """The rows of a table that was printed, and kept as it was printed."""
    text, kept = (folder / f"{name}.md").read_text(), json.loads((folder / f"{name}.json").read_text())
    assert text in printed
    assert kept["device"]
    assert kept["raw"]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| " + " | ".join(kept["header"]) + " |"
    assert len(lines) == len(kept["rows"]) + 2
    return kept["rows"]


def test_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    layer.main(["--tiny", "--out", str(tmp_path)])
    rows = table(tmp_path, "layer-cpu", capsys.readouterr().out)
    assert [row[2] for row in rows] == list(STATES)
    work = {row[2]: float(row[5]) for row in rows}
    assert work[PLAIN] == 1 < work["knob, no rescale"] < work["knob"] < work["knob, measured, all columns"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpus_table_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    layer.main(["--tiny", "--device", "cuda", "--out", str(tmp_path)])
    rows = table(tmp_path, "layer-cuda", capsys.readouterr().out)
    assert {(row[3], row[4]) for row in rows} == {("not measured", "not measured")}


def test_model(tmp_path: Path, tiny_sdxl: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    options = ["--tiny", "--rounds", "1", "--steps", "1", "--images", "1", "--model", str(tiny_sdxl)]
    model.main([*options, "--out", str(tmp_path)])
    rows = table(tmp_path, "model-cpu", capsys.readouterr().out)
    assert [row[0] for row in rows] == list(STATES)
    assert rows[0][3] == "1.00 [1.00, 1.00]"


def test_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    prompts.main(["--tiny", "--rounds", "1", "--out", str(tmp_path)])
    rows = table(tmp_path, "prompts", capsys.readouterr().out)
    assert [row[2] for row in rows] == [prompts.EACH, prompts.ONCE] * 4


def test_sketch(tmp_path: Path, tiny_sdxl: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    sketch.main(["--tiny", "--steps", "2", "--images", "1", "--model", str(tiny_sdxl), "--out", str(tmp_path)])
    *counts, off, plain = table(tmp_path, "sketch", capsys.readouterr().out)
    assert [row[0] for row in counts] == ["4", "8"]
    assert float(counts[0][1].rstrip("%")) > 0
    assert (off[0], plain[0]) == ("not rescaled", "plain attention")


def test_peer_without_the_released_code(
    tmp_path: Path, tiny_sdxl: Path, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    peer.main(["--tiny", "--rounds", "1", "--model", str(tiny_sdxl), "--out", str(tmp_path)])
    rows = table(tmp_path, "peer-cpu", capsys.readouterr().out)
    assert {row[3] for row in rows if "PAG" not in row[0]} == {"not measured"}
    assert all(float(row[3].split()[0]) > 0 for row in rows if "PAG" in row[0])
    with pytest.raises(FileNotFoundError, match="is no checkout of https"):
        peer.main(["--released", str(tmp_path)])


def test_lake(tmp_path: Path, tiny_sdxl: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    lake.main(["--tiny", "--rounds", "1", "--model", str(tiny_sdxl), "--out", str(tmp_path)])
    rows = table(tmp_path, "lake", capsys.readouterr().out)
    assert [row[0] for row in rows[1:]] == ["PNG", "Parquet: samples", "Parquet: images", "Parquet: stability"]


def test_cells(tmp_path: Path, tiny_sdxl: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    cells.main(["--tiny", "--rounds", "1", "--model", str(tiny_sdxl), "--out", str(tmp_path)])
    rows = table(tmp_path, "cells", capsys.readouterr().out)
    assert [row[0] for row in rows] == [cells.BARE, cells.PLAIN, cells.DEMO, cells.LATE, cells.SHARED]
    assert rows[0][3].startswith("1.00 ")
    assert min(float(row[2].split()[0]) for row in rows) > 0


@pytest.mark.slow
def test_queries(tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None) -> None:
    queries.main(["--tiny", "--out", str(tmp_path)])
    assert {row[1] for row in table(tmp_path, "queries", capsys.readouterr().out)} == set(scale.MEASURED)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers
def test_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool.main(["--tiny", "--rounds", "1", "--out", str(tmp_path)])
    apiece, *memory, efficiency = table(tmp_path, "pool", capsys.readouterr().out)
    plain, ours, beyond = (float(cell.split()[0]) for cell in apiece[1:])
    assert beyond == pytest.approx(ours - plain, abs=0.1)
    assert min(plain, ours, float(efficiency[2].split()[0])) > 0
    assert [row[0] for row in memory] == [f"MB more in the driver after {shards} shards" for shards in (5, 20)]


@pytest.mark.slow
def test_startup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    startup.main(["--tiny", "--out", str(tmp_path)])
    ((way, *seconds),) = table(tmp_path, "startup", capsys.readouterr().out)
    first, first_processor, end, end_processor = (float(cell.split()[0]) for cell in seconds)
    assert way == startup.LOCAL
    assert 0 < first < end
    assert 0 < first_processor < end_processor


def test_sides_take_turns() -> None:
    calls: list[str] = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert len(times["a"].seconds) == len(times["b"].processor) == 3


def test_spreads() -> None:
    assert str(spread([1.0, 2.0, 3.0, 4.0, 5.0])) == "3.00 [2.00, 4.00]"
    assert str(spread([0.00123, 123.4, 1e5])) == "123 [61.7, 50062]"
    times = alternate({"a": lambda: sum(range(10**5)), "b": lambda: sum(range(10**5))}, rounds=3)
    assert 0 < ratios(times, "a", "b").median < 100


@pytest.mark.slow
def test_receipts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipts.main(["--tiny", "--rounds", "1", "--out", str(tmp_path)])
    assert [row[0] for row in table(tmp_path, "receipts", capsys.readouterr().out)] == ["20", "40"]
