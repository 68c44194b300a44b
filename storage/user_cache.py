"""Files that take seconds to make, kept for the next process: written whole, and never needed."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from skewbench.vocabulary.user_paths import folder_from_environment

CACHE = "SKEWBENCH_CACHE"
"""Environment variable: the folder; by default `~/.cache/skewbench`."""


def read(name: str) -> str | None:
    """Return the text of a cached file, or None if it is not there or cannot be read.

    Args:
        name: Path below the folder. It names all that decides the content.
    """
    with suppress(OSError, UnicodeDecodeError):
        return (_folder() / name).read_text(encoding="utf-8")
    return None


def write(name: str, text: str) -> None:
    """Keep a text, if the folder can be written.

    Args:
        name: Path below the folder.
        text: The content.
    """
    path = _folder() / name
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:  # beside it, so that the file is renamed, not copied
            (Path(folder) / path.name).write_text(text, encoding="utf-8")
            (Path(folder) / path.name).replace(path)


def _folder() -> Path:
    return folder_from_environment(CACHE, ".cache", "skewbench")
