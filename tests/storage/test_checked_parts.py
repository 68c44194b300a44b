"""Parts of a large lake are checked once, and again if they change."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from skewbench.storage import checked_parts, footers, user_cache
from skewbench.storage.location import LakeError
from skewbench.storage.manifest import find_run
from skewbench.storage.records import Part
from skewbench.storage.store import LocalStore
from tests.lakes import Lake, made


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    monkeypatch.setenv(user_cache.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(checked_parts, "FEWEST", 2)
    made(tmp_path / "lake", Lake(prompts=2, images=False))
    return LocalStore(tmp_path / "lake")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the parts whose footers are read."""
    paths: list[str] = []
    original = footers.footer_problem

    def noted(file: object, part: Part) -> str | None:
        paths.append(part.path)
        return original(file, part)  # type: ignore[arg-type]

    monkeypatch.setattr(footers, "footer_problem", noted)
    return paths


def test_parts_are_read_once(store: LocalStore, read: list[str]) -> None:
    parts = find_run(store, None).parts
    footers.check_footers(store, parts)
    assert sorted(read) == sorted(part.path for part in parts)
    read.clear()
    footers.check_footers(store, parts)
    assert read == []


def test_a_part_that_changed_is_read_again(store: LocalStore, read: list[str]) -> None:
    """Also if its size and its time of modification are those of before."""
    parts = find_run(store, None).parts
    footers.check_footers(store, parts)
    path, before = Path(store.address(parts[0].path)), os.stat(store.address(parts[0].path))
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for _ in range(2):  # a broken part is not remembered
        read.clear()
        with pytest.raises(LakeError, match=f"{parts[0].path} is not a Parquet file"):
            footers.check_footers(store, parts)
        assert read == [parts[0].path]


def test_a_part_that_changes_while_it_is_checked_is_read_again(
    store: LocalStore, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = find_run(store, None).parts
    remember = checked_parts.CheckedParts.remember

    def late(self: checked_parts.CheckedParts) -> None:
        path = Path(store.address(parts[0].path))
        path.write_bytes(path.read_bytes())
        remember(self)

    monkeypatch.setattr(checked_parts.CheckedParts, "remember", late)
    footers.check_footers(store, parts)
    read.clear()
    footers.check_footers(store, parts)
    assert read == [parts[0].path]


def test_another_manifest_and_a_missing_part_are_noticed(store: LocalStore, read: list[str]) -> None:
    parts = find_run(store, None).parts
    footers.check_footers(store, parts)
    with pytest.raises(LakeError, match=f"{parts[0].path} has {parts[0].rows} rows, not 3000000"):
        footers.check_footers(store, [replace(parts[0], rows=3_000_000), *parts[1:]])
    Path(store.address(parts[1].path)).unlink()
    with pytest.raises(LakeError, match=f"{parts[1].path} is missing"):
        footers.check_footers(store, parts)


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"a": 1}'])
def test_a_broken_memory_is_none(store: LocalStore, read: list[str], kept: str) -> None:
    parts = find_run(store, None).parts
    footers.check_footers(store, parts)
    (memory,) = (Path(os.environ[user_cache.CACHE]) / "checked").iterdir()
    memory.write_text(kept)
    read.clear()
    footers.check_footers(store, parts)
    assert len(read) == len(parts)


def test_a_small_lake_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_parts, "FEWEST", 100)
    footers.check_footers(store, find_run(store, None).parts)
    assert not (Path(os.environ[user_cache.CACHE]) / "checked").exists()
