"""The cache of files that take seconds to make: kept whole or not at all, and never needed."""

from pathlib import Path

import pytest
import vl_convert

from skewbench.storage import user_cache
from skewbench.tasks.report import page


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(user_cache.CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_written_is_read_and_nothing_else_is_left(folder: Path) -> None:
    assert user_cache.read("kind/name.js") is None
    user_cache.write("kind/name.js", "α = 1")
    user_cache.write("kind/name.js", "α = 2")
    assert user_cache.read("kind/name.js") == "α = 2"
    assert [path.name for path in (folder / "kind").iterdir()] == ["name.js"]


def test_a_disk_that_is_full_leaves_the_older_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_cache.write("name.js", "whole")

    def half(path: Path, text: str, **_: str) -> None:
        path.write_bytes(text[:2].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    user_cache.write("name.js", "another")
    assert user_cache.read("name.js") == "whole"
    assert [path.name for path in folder.iterdir()] == ["name.js"]


def test_what_is_no_text_or_cannot_be_written_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "name.js").write_bytes(b"\xff\xfe")
    assert user_cache.read("name.js") is None
    monkeypatch.setenv(user_cache.CACHE, "/proc/nowhere")
    user_cache.write("name.js", "text")
    assert user_cache.read("name.js") is None


def test_the_charts_library_is_bundled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bundle(snippet: str, vl_version: str) -> str:
        bundled.append(vl_version)
        return f"{snippet}</script>"

    bundled: list[str] = []
    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    made = [page._library.__wrapped__() for _ in range(2)]
    assert made == ["(() => {window.vegaEmbed = vegaEmbed;<\\/script>})();"] * 2
    monkeypatch.setattr(page.metadata, "version", lambda _: "another")
    assert (page._library.__wrapped__(), len(bundled)) == (made[0], 2)
