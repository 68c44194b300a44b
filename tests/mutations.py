"""`python -m tests.mutations`: break one line at a time in a copy of the project, and see which test fails.

Prints a table of the breaks with the first test that caught each; exits with 1 where one is not caught.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mutation:
    """One line that is broken. `tests`: where it should be caught."""

    file: str
    line: str
    broken: str
    tests: str


MUTATIONS = (
    Mutation(
        "tasks/cells.py",
        '"knob": cell.knob.setting,',
        '"knob": {k: v for k, v in cell.knob.setting.items() if k != "window"},',
        "tests/stability/knobs/test_knob_contract.py",
    ),
    Mutation(
        "eval/scorers/msssim_diversity.py",
        'better="higher"',
        'better="lower"',
        "tests/eval/scorers/test_scorer_contract.py",
    ),
    Mutation("sql/views/macros.sql", "1.959963984540054", "1.644853626951472", "tests/sql/test_effects.py"),
    Mutation("sql/views/macros.sql", "nullif(clusters - 1, 0)", "nullif(clusters, 0)", "tests/sql/test_effects.py"),
    Mutation("vocabulary/measures.py", "sign=-1,", "sign=1,", "tests/sql/test_correlations.py"),
    Mutation(
        "storage/state.py",
        "{receipt.path: receipt for receipt in read}",
        "{receipt.path: receipt for receipt in read[1:]}",
        "tests/tasks/test_lake.py",
    ),
    Mutation(
        "storage/attempts.py",
        '(one.counts.get("ok", 0), one.key.retry)',
        "one.key.retry",
        "tests/tasks/test_shortfalls.py",
    ),
    Mutation(
        "storage/commit.py",
        "store.delete(*sorted(superfluous - {part.path for part in stored.parts}))",
        "store.delete(*sorted(superfluous))",
        "tests/tasks/test_fence.py",
    ),
    Mutation(
        "storage/manifest.py",
        'store.put_new(path, content) if first else store.swap(path, manifest.stored or b"", content)',
        "(store.put(path, content) or True)",
        "tests/tasks/test_fence.py",
    ),
    Mutation(
        "stability/knobs/temperature.py",
        "call.k / self.tau",
        "call.k * self.tau",
        "tests/stability/test_golden.py",
    ),
    Mutation(
        "stability/measures.py",
        "energy = -(qs * ks).sum(dim=-2) / 2",
        "energy = -(qs * ks).sum(dim=-2)",
        "tests/stability/test_measures.py",
    ),
    Mutation(
        "sql/queries/worst_fraction/query.sql",
        "coalesce(getvariable('fraction')::DOUBLE, 0.2)",
        "coalesce(getvariable('fraction')::DOUBLE, 0.1)",
        "tests/sql/test_query_contract.py",
    ),
)


def main() -> int:
    """Play all mutations."""
    survived = 0
    print("| file | line | broken | caught by |", "|---|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "skewbench"
        ignored = shutil.ignore_patterns(
            ".git", ".venv", "build", "*lake", "findings", "faults", ".*_cache", "__pycache__"
        )
        shutil.copytree(ROOT, copy, ignore=ignored)
        (copy / "build" / "typed").mkdir(parents=True)
        (copy / "build" / "typed" / "skewbench").symlink_to("../..")
        for mutation in MUTATIONS:
            caught = _play(copy, mutation)
            survived += not caught
            cells = (mutation.file, mutation.line, mutation.broken, caught or "NOTHING")
            print("| " + " | ".join(f"`{cell.replace('|', chr(92) + '|')}`" for cell in cells) + " |", flush=True)
    return int(bool(survived))


def _play(copy: Path, mutation: Mutation) -> str:
    """The first test that fails; empty where all pass. Raises `ValueError` where the line is gone."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    if mutation.line not in text:
        raise ValueError(f"{mutation.file} has no {mutation.line!r} any more: give tests/mutations.py another line")
    path.write_text(text.replace(mutation.line, mutation.broken, 1), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{copy / 'build/typed'}{os.pathsep}{copy}"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation.tests.split()]
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=900)
    finally:
        path.write_text(text, encoding="utf-8")
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(main())
