"""What is compared: usable samples of both cells alone, in an order and on sides that only the seed decides."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.rating import default_seed, find_comparisons, shuffled
from skewbench.tasks.rating.comparisons import MOST_IN_A_SET, pairs_of_cells
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, drop_table, made
from tests.tasks.rating.toy import toy

LOST = 3
"""Samples of the last cell of a toy lake that are not usable: one failed, one blank, one non-finite."""


def test_each_usable_pair_of_the_baseline_and_each_other_cell(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    found = find_comparisons(store, manifest, "quality")
    count = Counter(one.cells for one in found.comparisons)
    assert count == {("baseline", "a1.05-b3"): 12, ("baseline", "a1.20-b5"): 12 - LOST}
    assert found.left_out == {("baseline", "a1.05-b3"): 0, ("baseline", "a1.20-b5"): LOST}
    assert len({one.key for one in found.comparisons}) == len(found.comparisons)
    assert all(len(ids) == 1 for one in found.comparisons for ids in one.samples)


def test_sets_have_the_seeds_that_both_cells_have(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path, Lake(prompts=3, seeds=12))
    found = find_comparisons(store, manifest, "diversity", ["a1.20-b5"])
    assert [len(ids) for one in found.comparisons for ids in one.samples] == [MOST_IN_A_SET] * 6
    assert all(one.pair_id is None for one in found.comparisons)
    lost = found.comparisons[0]  # the first three seeds of the first prompt failed in the cell
    usable = find_comparisons(store, manifest, "quality", ["a1.20-b5"]).comparisons
    assert {*lost.samples[1]} <= {one.samples[1][0] for one in usable if one.prompt_id == lost.prompt_id}


def test_a_prompt_with_too_few_usable_seeds_is_left_out_and_counted(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path, Lake(prompts=4, seeds=3))
    found = find_comparisons(store, manifest, "diversity", ["a1.20-b5"])
    assert (len(found.comparisons), found.left_out) == (3, {("baseline", "a1.20-b5"): 1})


def test_samples_without_a_file_are_left_out(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake())
    drop_table(tmp_path, run_id, "images")
    store = LocalStore(tmp_path)
    with pytest.raises(InputError, match=r"nothing to compare in baseline and .*: 48 were left out"):
        find_comparisons(store, find_run(store, run_id), "quality")


@pytest.mark.parametrize(
    ("named", "pairs"),
    [
        ((), [("baseline", "a1.05-b3"), ("baseline", "a1.20-b5")]),
        (("a1.20-b5",), [("baseline", "a1.20-b5")]),
        (("a1.20-b5", "a1.05-b3"), [("a1.05-b3", "a1.20-b5")]),
        (("a1.20-b5", "a1.05-b3", "baseline"),
         [("baseline", "a1.05-b3"), ("baseline", "a1.20-b5"), ("a1.05-b3", "a1.20-b5")]),
    ],
)  # fmt: skip
def test_pairs_of_cells(tmp_path: Path, named: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    assert pairs_of_cells(toy(tmp_path)[1], named) == pairs


def test_cells_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    with pytest.raises(InputError, match=r"--cells nowhere: .* no such cell; it has baseline, a1\.05-b3, a1\.20-b5"):
        find_comparisons(store, manifest, "quality", ["baseline", "nowhere"])
    with pytest.raises(InputError, match="--cells baseline: name another cell too"):
        find_comparisons(store, manifest, "quality", ["baseline"])
    with pytest.raises(InputError, match="has no baseline; name two"):
        find_comparisons(store, replace(manifest, baseline=None), "quality")
    with pytest.raises(InputError, match="still running"):
        find_comparisons(store, replace(manifest, status="running"), "quality")


def test_the_seed_alone_decides_order_and_sides(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path, Lake(prompts=20))
    found = find_comparisons(store, manifest, "quality").comparisons
    placed = shuffled(found, 7)
    assert shuffled(reversed(found), 7) == placed
    assert shuffled(found, 7, most=5) == placed[:5]
    assert [one.position for one in placed] == list(range(1, len(found) + 1))
    assert [one.comparison for one in placed] != found
    other = {one.comparison.key: one.left for one in shuffled(found, 8)}
    assert sum(other[one.comparison.key] != one.left for one in placed) > len(placed) / 4
    left = Counter(one.cells[0] for one in placed)
    assert 0.35 < left["baseline"] / len(placed) < 0.65
    for one in placed:
        assert one.samples == (one.comparison.samples if one.left == 0 else one.comparison.samples[::-1])


def test_a_side_does_not_depend_on_the_cells_beside(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    sides = {
        one.comparison.key: one.cells for one in shuffled(find_comparisons(store, manifest, "quality").comparisons, 3)
    }
    few = shuffled(find_comparisons(store, manifest, "quality", ["a1.20-b5"]).comparisons, 3)
    assert all(sides[one.comparison.key] == one.cells for one in few)


def test_raters_have_seeds_of_their_own() -> None:
    seeds = {default_seed("run", rater, question) for rater in ("ann", "bob") for question in ("quality", "diversity")}
    assert len(seeds) == 4
    assert default_seed("run", "ann", "quality") in seeds
