"""Write docs/api/*.md, the public names of packages: `python docs/api_table.py`. `make docs` adds docstrings."""

from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).with_name("api")
PACKAGES = ("stability", "sql")


def page(name: str) -> str:
    """List the public names of a package, with a placeholder for each docstring."""
    package = import_module(f"skewbench.{name}")
    summary = str(package.__doc__).splitlines()[0]
    entries = (f"::: skewbench.{name}.{public}" for public in package.__all__)
    return f"# skewbench.{name}\n\n{summary}\n\n" + "\n\n".join(entries) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PACKAGES:
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")
