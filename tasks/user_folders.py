"""The files of a folder that a user gave."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """List the files of a folder and its sub-folders, sorted. Links are followed; hidden names are left out.

    A folder that several links reach is entered once, so that circles of links end.

    Args:
        folder: The folder.
    """
    return sorted(_walk(folder, set()))


def _walk(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path]:
    about = folder.stat()
    if (about.st_dev, about.st_ino) in entered:
        return
    entered.add((about.st_dev, about.st_ino))
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))  # real folders before links to them
    for entry in found:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)  # whose methods take a link in a circle for neither, where those of the entry raise
        if path.is_dir():
            yield from _walk(path, entered)
        elif path.is_file():
            yield path
