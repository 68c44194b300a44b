"""Gather the pages of the site in build/pages, which `make docs` builds: `python docs/pages.py`.

The pages are those of the repository, in the same folders. A link to a source file becomes a link to a page that shows
the file, and a link to a folder becomes a link to a list of its files. So the site is self-contained.
"""

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "infra/README.md", "docs/site.css")
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
LANGUAGES = {".py": "python", ".sql": "sql", ".yaml": "yaml", ".toml": "toml", ".json": "json"}


def gather(target: Path) -> None:
    """Write all pages and the files that they link to.

    Args:
        target: A folder, whose contents are replaced.

    Raises:
        ValueError: A page links to a file that does not exist.
    """
    shutil.rmtree(target, ignore_errors=True)
    waiting = [ROOT / name for name in PAGES] + sorted((ROOT / "docs").rglob("*.md"))
    done: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source in done:
            continue
        done.add(source)
        place = target / page_of(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text, linked = rewrite(source)
            place.write_text(text, encoding="utf-8")
            waiting += linked
        elif source.is_dir():
            files = sorted(path for path in source.iterdir() if _is_source(path))
            rows = (f"- [{path.name}]({_relative(source, path)})" for path in files)
            place.write_text(f"# {source.relative_to(ROOT)}\n\n" + "\n".join(rows) + "\n", encoding="utf-8")
            waiting += files
        elif place.suffix == ".md":
            place.write_text(_listing(source), encoding="utf-8")
        else:
            shutil.copy(source, place)


def rewrite(page: Path) -> tuple[str, list[Path]]:
    """Return the text of a page with links between pages of the site, and the files and folders it links to."""
    linked: list[Path] = []

    def replaced(link: re.Match[str]) -> str:
        before, name, anchor, after = link.groups()
        if ":" in name:
            return link[0]
        path = Path(os.path.normpath(page.parent / name))
        if not path.exists():
            raise ValueError(f"{page.relative_to(ROOT)} links to {name}, which does not exist")
        linked.append(path)
        return f"{before}{_relative(page, path)}{anchor or ''}{after}"

    parts = CODE.split(page.read_text(encoding="utf-8"))
    text = "".join(part if place % 2 else LINK.sub(replaced, part) for place, part in enumerate(parts))
    return INCLUDE.sub(lambda named: _fenced(page.parent / named[1]), text), linked


def page_of(source: Path) -> Path:
    """Return the path of a file or folder of the repository in the site, relative to its root."""
    path = source.relative_to(ROOT)
    if source.is_dir() or path.name == "README.md":
        return (path if source.is_dir() else path.parent) / "index.md"
    return path.with_name(f"{path.name}.md") if path.suffix in LANGUAGES else path


def _relative(page: Path, linked: Path) -> str:
    return os.path.relpath(page_of(linked), page_of(page).parent)


def _is_source(path: Path) -> bool:
    if path.is_dir():
        return path.name != "__pycache__" and any(map(_is_source, path.iterdir()))
    return path.suffix in LANGUAGES


def _listing(source: Path) -> str:
    return f"# {source.relative_to(ROOT)}\n\n{_fenced(source)}\n"


def _fenced(source: Path) -> str:
    return f"````{LANGUAGES.get(source.suffix, '')}\n{source.read_text(encoding='utf-8').rstrip()}\n````"


def link_packages(target: Path) -> None:
    """Link the source folders as a package `skewbench` for the reader of docstrings.

    Each folder has its own link. With one link to the whole repository, the reader would follow build/ back into it.
    """
    target.mkdir(parents=True, exist_ok=True)
    for room in ("stability", "sql", "storage", "vocabulary"):
        (target / room).unlink(missing_ok=True)
        (target / room).symlink_to(ROOT / room)


if __name__ == "__main__":
    gather(ROOT / "build" / "pages")
    link_packages(ROOT / "build" / "packages" / "skewbench")
