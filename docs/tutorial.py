"""Run the commands of docs/tutorial.md in a fresh clone and print their times: `python3 docs/tutorial.py [--write]`.

It needs no installed package, because a newcomer has none. `--write` puts what the commands print, and their times,
into the page of this checkout.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""Bold and colours."""
TIMES = re.compile(r"(\| command \| seconds \|\n\|---\|---\|\n)(?:\|.*\n)*")
COLUMNS = 120
"""Width of the terminal that the page shows."""


def commands(page: str) -> list[str]:
    """Return the command lines of a page, in order.

    Args:
        page: Its text.
    """
    return [line[2:] for block in CONSOLE.findall(page) for line in block.splitlines() if line.startswith("$ ")]


def follow(page: str, clone: Path) -> dict[str, tuple[float, str]]:
    """Run the commands of a page.

    Args:
        page: Its text.
        clone: Where they run.

    Returns:
        For each command, the seconds and what it printed on standard output.

    Raises:
        SystemExit: A command failed. Its errors are on standard error.
    """
    for name, content in FILE.findall(page):
        (clone / name).write_text(content, encoding="utf-8")
    # the environment of a newcomer's terminal, whatever this process was started in
    terminal = {"COLUMNS": str(COLUMNS), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SKEWBENCH_LAKE")}
    done = {}
    for command in commands(page):
        print(f"$ {command}", file=sys.stderr)
        start = time.monotonic()
        found = subprocess.run(  # noqa: S603 -- the commands of our own page
            shlex.split(command), cwd=clone, env=environment | terminal, stdout=subprocess.PIPE, text=True
        )
        if found.returncode:
            raise SystemExit(f"{command}: exit code {found.returncode}")
        done[command] = time.monotonic() - start, found.stdout
        print(found.stdout, file=sys.stderr)
    return done


def filled(page: str, done: dict[str, tuple[float, str]], clone: Path) -> str:
    """Return a page with what its commands printed.

    Args:
        page: Its text.
        done: Of `follow`.
        clone: Where the commands ran; the page calls it `.`.
    """

    def block(found: re.Match[str]) -> str:
        lines = []
        for command in commands(found[0]):
            printed = STYLE.sub("", done[command][1]).replace(str(clone), ".").rstrip()
            lines += [f"$ {command}", *(line.rstrip() for line in printed.splitlines())]
        return "\n".join(("```console", *lines, "```"))

    rows = "".join(f"| `{command if len(command) < 60 else command[:57] + '...'}` | {seconds:.0f} |\n"
                   for command, (seconds, _) in done.items())  # fmt: skip
    total = f"| together | {sum(seconds for seconds, _ in done.values()):.0f} |\n"
    return TIMES.sub(lambda found: found[1] + rows + total, CONSOLE.sub(block, page))


def main() -> None:
    """Follow the page, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the output and the times into the page")
    write = parser.parse_args().write
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "skewbench"
        make_clone = ["git", "clone", "--quiet", str(ROOT), str(clone)]
        subprocess.run(make_clone, check=True)  # noqa: S603 -- no text of others
        done = follow(page, clone)
        if write:
            PAGE.write_text(filled(page, done, clone), encoding="utf-8")
    for command, (seconds, _) in done.items():
        print(f"{seconds:7.1f} s  {command}")
    print(f"{sum(seconds for seconds, _ in done.values()) / 60:7.1f} minutes")


if __name__ == "__main__":
    main()
