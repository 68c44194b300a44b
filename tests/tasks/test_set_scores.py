"""Comparing the cells of a run with a reference: a folder of images or sounds, or a run."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skewbench import sql
from skewbench.eval.scoring.audio import encode
from skewbench.eval.weights import WEIGHTS
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.reference import find_reference
from skewbench.vocabulary.errors import InputError
from tests.eval.scorers.tiny_inception import save_inception
from tests.tasks.scored_run import RUN, png, sample, score, write_run
from tests.tiny_clap import save_clap


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


@pytest.fixture
def inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Inception with seeded random weights, which are not those that were published; returns where they belong."""
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    name = "inception-2015-12-05"
    monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=""))
    return tmp_path / "weights" / name / WEIGHTS[name].files[0]


def _sets(store: LocalStore) -> dict[str, tuple[float | None, str | None, int, str]]:
    with sql.connect(store.root) as connection:
        statement = 'SELECT metric, value, reason, n, "set" FROM group_scores WHERE prompt_id IS NULL'
        return {metric: tuple(row) for metric, *row in connection.execute(statement).fetchall()}


def test_cells_are_compared_with_a_folder(store: LocalStore, inception: Path, tmp_path: Path) -> None:
    """What is no image is left out of the folder; without weights, and without a reference, the rows are NULL."""
    samples = [*(sample(seed) for seed in range(7)), sample(7, "nonfinite"), sample(8)]
    write_run(store, samples, {**{f"s{seed}": png(seed=seed) for seed in range(8)}, "s8": b"broken"})
    folder = tmp_path / "real"
    folder.mkdir()
    for seed in range(8):
        (folder / f"{seed}.png").write_bytes(png("L" if seed == 3 else "RGB", seed + 100))
    (folder / "readme.txt").write_text("images")
    assert len(score(store, ["distribution"])) == 1
    assert "no reference; set" in str(_sets(store)["kid"][1])
    assert score(store, ["distribution"]) == []
    assert len(score(store, ["distribution"], str(folder))) == 1
    assert any("skewbench weights get inception" in str(row[1]) for row in _sets(store).values())
    save_inception(inception)
    assert len(score(store, ["distribution"], str(folder))) == 1
    found = _sets(store)
    value, _, n, method = found["kid"]
    assert (value is not None, n) == (True, 7)
    assert re.search(r"against real \(8 images, [0-9a-f]{8}\)$", method)
    assert "FID would be mostly noise" in str(found["fid"][1])
    assert all(found[name][0] is not None for name in ("kid_error", "precision", "recall", "density", "coverage"))
    assert score(store, ["distribution"], str(folder)) == []
    assert score(store, ["distribution"]) == []
    assert len(find_run(store, None).parts) == 3


def test_a_run_compared_with_itself_is_alike(store: LocalStore, inception: Path) -> None:
    samples = [sample(seed) for seed in range(7)]
    write_run(store, samples, {f"s{seed}": png(seed=seed) for seed in range(7)})
    save_inception(inception)
    score(store, ["distribution"], RUN)
    found = _sets(store)
    assert found["kid"][0] is not None
    assert found["kid"][0] <= 0  # unbiased: below nought as often as above, where nothing differs below it
    assert [found[name][0] for name in ("precision", "recall", "coverage")] == [1, 1, 1]


def test_sounds_are_compared_with_a_folder_or_a_run(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18 waveforms, of which one is silent: more than the tiny CLAP has features."""
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, (18, 2000))
    clips[3] = 0
    samples = [sample(seed, "blank" if seed == 3 else "ok") for seed in range(18)]
    write_run(store, samples, {f"s{seed}": encode(clips[seed], 8000) for seed in range(18)}, "audio")
    (tmp_path / "real").mkdir()
    for number, clip in enumerate(np.random.default_rng(1).uniform(-0.5, 0.5, (19, 2000))):
        (tmp_path / "real" / f"{number}.wav").write_bytes(encode(np.cumsum(clip) / 20, 8000))
    score(store, ["fad_clap"], str(tmp_path / "real"))
    assert "skewbench weights get clap" in str(_sets(store)["fad_clap"][1])
    monkeypatch.setenv(WEIGHTS["clap-htsat-unfused"].variable, str(save_clap(tmp_path / "clap")))
    score(store, ["fad_clap"], str(tmp_path / "real"))
    value, _, n, method = _sets(store)["fad_clap"]
    assert (value is not None, n) == (True, 17)
    assert re.search(r"all waveforms .* that are not silent, against real \(19 waveforms, [0-9a-f]{8}\)$", method)
    score(store, ["fad_clap"], RUN)
    with sql.connect(store.root) as connection:
        values = connection.execute('SELECT value FROM group_scores WHERE "set" LIKE ?', [f"%{RUN}%"]).fetchall()
    assert values == [(pytest.approx(0, abs=1e-3),)]
    with pytest.raises(InputError, match=f"run {RUN} generated audio; images are required"):
        find_reference(store, RUN)


def test_a_reference_that_is_not_there(store: LocalStore, tmp_path: Path) -> None:
    write_run(store, [sample(0)], {"s0": png()})
    with pytest.raises(InputError, match="not a folder, and not a run"):
        find_reference(store, "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images in this folder"):
        find_reference(store, str(tmp_path / "empty"))
