"""Weights are found where a person put them, and refused where they are not what was published."""

import json
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from skewbench.eval.weights import WEIGHTS, BadWeights, MissingWeights, Source, Weights, find, get, missing, path_of
from skewbench.eval.weights.catalogue import PACKAGES, SHARDS

CONTENT = b"numbers"


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty caches, and weights of our own with a published digest."""
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    digest = sha256(CONTENT).hexdigest()
    source = Source(("mine-1234.pth",), url=(tmp_path / "origin.pth").as_uri())
    monkeypatch.setitem(WEIGHTS, "mine-v1.0", Weights("mine-v1.0", (source,), "MIT", 1, digest))


def _put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_by_variable_by_folder_and_in_torchs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("mine-v1.0") is None
    assert find("mine-v1.0") != _put(tmp_path / "torch/hub/checkpoints/mine-1234.pth")
    assert path_of("mine-v1.0") == tmp_path / "torch/hub/checkpoints/mine-1234.pth"
    assert path_of("mine-v1.0") != _put(tmp_path / "weights/mine-v1.0/mine-1234.pth")
    assert path_of("mine-v1.0") == tmp_path / "weights/mine-v1.0/mine-1234.pth"
    monkeypatch.setenv("SKEWBENCH_WEIGHTS_MINE_V1_0", str(_put(tmp_path / "elsewhere.pth")))
    assert path_of("mine-v1.0") == tmp_path / "elsewhere.pth"
    monkeypatch.setenv("SKEWBENCH_WEIGHTS_MINE_V1_0", "/nowhere")
    with pytest.raises(MissingWeights, match=r"SKEWBENCH_WEIGHTS_MINE_V1_0 is '/nowhere', which does not exist"):
        path_of("mine-v1.0")


def test_several_files_are_found_when_all_are_there(tmp_path: Path) -> None:
    for file in WEIGHTS["pickscore-v1"].files[:-1]:
        _put(tmp_path / "weights/pickscore-v1" / file)
    assert find("pickscore-v1") is None
    _put(tmp_path / "weights/pickscore-v1" / WEIGHTS["pickscore-v1"].files[-1])
    assert find("pickscore-v1") == tmp_path / "weights/pickscore-v1"


@pytest.mark.parametrize("index", SHARDS)
def test_the_shards_of_a_checkpoint_are_those_that_its_index_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    hub, asked = tmp_path / "hub", list[str]()
    sources = (Source(("config.json",), "big", sharded=True), Source(("config.json",), "small", folder="part/"))
    monkeypatch.setitem(WEIGHTS, "large", Weights("large", sources, "MIT", 1))
    for file in ("big/config.json", "big/a.bin", "big/b.bin", "big/unrelated.bin", "small/config.json"):
        _put(hub / file, file.encode())
    _put(hub / "big" / index, json.dumps({"weight_map": {"x": "a.bin", "y": "b.bin", "z": "a.bin"}}).encode())

    def download(repository: str, file: str, local_dir: Path) -> str:
        asked.append(file)
        return str(_put(local_dir / file, (hub / repository / file).read_bytes()))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.file_exists", lambda repository, file: (hub / repository / file).exists())
    own = tmp_path / "weights/large"
    assert get("large") == own == find("large")
    assert sorted(asked) == sorted(["config.json", "config.json", index, "a.bin", "b.bin"])
    assert (own / "part/config.json").read_text() == "small/config.json"
    (own / "b.bin").unlink()  # as a download leaves it that was stopped
    assert find("large") is None
    for damaged in ("[", "{}", '{"weight_map": {}}', '{"weight_map": {"x": 1}}'):
        (own / index).write_text(damaged)
        assert find("large") is None
        _put(hub / "big" / index, damaged.encode())
        with pytest.raises(BadWeights, match="names no shards"):
            get("large")


def test_another_file_than_was_published_is_refused(tmp_path: Path) -> None:
    path = _put(tmp_path / "weights/mine-v1.0/mine-1234.pth", b"others")
    with pytest.raises(BadWeights, match=r"is not mine-v1\.0: sha256"):
        path_of("mine-v1.0")
    _put(path)  # put right, it is read anew
    assert path_of("mine-v1.0") == path


def test_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "no_such_package", "metrics")
    assert missing(()) is None
    assert "skewbench weights get mine-v1.0" in str(missing(("lpips", "mine-v1.0")))
    assert "pip install 'skewbench[metrics]'" in str(missing(("no_such_package", "mine-v1.0")))


def test_get_downloads_and_checks(tmp_path: Path) -> None:
    _put(tmp_path / "origin.pth", b"others")
    with pytest.raises(RuntimeError, match="invalid hash"):
        get("mine-v1.0")
    assert find("mine-v1.0") is None
    _put(tmp_path / "origin.pth")
    assert get("mine-v1.0") == path_of("mine-v1.0") == tmp_path / "weights/mine-v1.0/mine-1234.pth"


def test_only_the_files_of_an_archive_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = (
        Source(("plain.pth",), url=_put(tmp_path / "plain.pth").as_uri(), folder="checkpoints/"),
        Source(("adapter/a.json", "adapter/b.bin"), url=(tmp_path / "origin.zip").as_uri()),
    )
    monkeypatch.setitem(WEIGHTS, "packed", Weights("packed", sources, "MIT", 1))
    own = tmp_path / "weights/packed"
    for content in ({"adapter/a.json": "{}", "large.pth": "x"}, None):
        with ZipFile(tmp_path / "origin.zip", "w") as archive:
            for name, text in (content or {}).items():
                archive.writestr(name, text)
        if content is None:
            (tmp_path / "origin.zip").write_bytes(b"no archive")
        with pytest.raises(BadWeights, match=r"origin\.zip has not the files adapter/a\.json, adapter/b\.bin"):
            get("packed")
        assert find("packed") is None
        assert [path.name for path in own.iterdir()] == ["checkpoints"]
    with ZipFile(tmp_path / "origin.zip", "w") as archive:
        for name in ("adapter/a.json", "adapter/b.bin", "adapter/c.bin", "large.pth"):
            archive.writestr(name, name)
    assert get("packed") == find("packed") == own
    kept = {str(path.relative_to(own)) for path in own.rglob("*") if path.is_file()}
    assert kept == {"checkpoints/plain.pth", "adapter/a.json", "adapter/b.bin"}
    assert (own / "adapter/b.bin").read_text() == "adapter/b.bin"


def test_the_catalogue_is_whole() -> None:
    for name, weights in WEIGHTS.items():
        assert weights.name == name
        assert weights.files
        assert weights.licence
        assert weights.megabytes > 0
        assert all(bool(source.repository) != bool(source.url) for source in weights.sources)
        assert not weights.sha256 or len(weights.files) == 1
