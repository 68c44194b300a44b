"""What all commands have in common: formats for programs, limits, a pager, names of runs, and the SQL prompt."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from skewbench.flows import experiments
from skewbench.flows.cli import app, tables
from tests.flows.command import run_in_process
from tests.lakes import Lake, made


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lake")
    made(folder, Lake(prompts=2, images=False))
    return str(folder)


def _parsed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    answer = run_in_process(monkeypatch, *arguments, "--format", "json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_lists_for_programs(monkeypatch: pytest.MonkeyPatch, lake: str) -> None:
    (progress,) = _parsed(monkeypatch, "status", "--lake", lake)
    (size,) = _parsed(monkeypatch, "runs", "list", "--lake", lake)
    assert progress["run"] == size["run"]
    assert (progress["status"], progress["notes"], size["samples"]) == ("committed", [], 18)
    assert _parsed(monkeypatch, "baseline", "list", "--lake", lake) == []
    run_in_process(monkeypatch, "baseline", "set", "best", size["run"], "--lake", lake)
    (named,) = _parsed(monkeypatch, "baseline", "list", "--lake", lake)
    assert (named["baseline"], named["run"]) == ("best", size["run"])


def test_empty_lists_for_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for command in (["status"], ["runs", "list"], ["baseline", "list"]):
        assert _parsed(monkeypatch, *command, "--lake", str(tmp_path / "new")) == []


def test_findings_for_programs(monkeypatch: pytest.MonkeyPatch, lake: str, tmp_path: Path) -> None:
    plan = _parsed(monkeypatch, "plan", "demo", "--lake", str(tmp_path / "new"), "--seconds", "1", "--price", "3600")
    assert plan["cost"] == pytest.approx(plan["hours"] * 3600)
    assert list(plan["cells"]) == [cell.name for cell in experiments.load("demo").cells]
    needs = {row["metric"]: row for row in _parsed(monkeypatch, "weights")}
    assert (needs["contrast"]["needs"], needs["contrast"]["here"]) == (None, True)
    checks = {finding["what"]: finding for finding in _parsed(monkeypatch, "doctor", "--lake", lake)}
    assert {"packages", "devices", "Ray", "lake", "disk"} <= set(checks)
    assert checks["packages"]["good"]


def test_verify_for_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made(tmp_path, Lake(prompts=2, images=False))
    whole = _parsed(monkeypatch, "verify", "--lake", str(tmp_path))
    assert (whole["faults"], whole["files"] > 0) == ([], True)
    part = next(tmp_path.glob("samples/*/*.parquet"))
    part.unlink()
    broken = run_in_process(monkeypatch, "verify", "--lake", str(tmp_path), "--format", "json")
    assert broken.returncode == 1
    (fault,) = json.loads(broken.stdout)["faults"]
    assert fault["path"] == str(part.relative_to(tmp_path))


def test_a_command_without_a_run_says_which_it_took(monkeypatch: pytest.MonkeyPatch, lake: str) -> None:
    taken = run_in_process(monkeypatch, "verify", "--lake", lake)
    run_id = taken.stdout.partition(":")[0]
    assert f"note: no RUN given; using the newest, {run_id}\n" in taken.stderr
    named = run_in_process(monkeypatch, "verify", run_id, "--lake", lake)
    assert (named.returncode, "note" in named.stderr) == (0, False)


def test_a_limit_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch, lake: str) -> None:
    cut = run_in_process(
        monkeypatch, "sql", "SELECT * FROM range(10)", "--lake", lake, "--limit", "2", "--format", "csv"
    )
    assert cut.stdout == "range\n0\n1\n"
    assert cut.stderr == "note: showing the first 2 of 10 rows; change this with --limit\n"
    whole = run_in_process(monkeypatch, "sql", "SELECT * FROM range(2)", "--lake", lake, "--limit", "2")
    assert whole.stderr == ""


@pytest.mark.parametrize(("lines", "paged"), [(9, False), (40, True)])
def test_what_is_longer_than_the_screen_opens_in_a_pager(
    monkeypatch: pytest.MonkeyPatch, lines: int, paged: bool
) -> None:
    shown: list[str] = []
    terminal = Console(force_terminal=True, width=40, height=10)
    monkeypatch.setattr("rich.pager.SystemPager.show", lambda _pager, content: shown.append(content))
    monkeypatch.setattr(tables, "console", lambda: terminal)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    tables.show(*(Text(f"line {number}") for number in range(lines)))
    assert bool(shown) == paged
    if paged:
        assert shown[0].count("line ") == lines


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def test_every_help_text_is_shown_whole() -> None:
    """Typer reads help as Rich markup, which drops what looks like a tag and fails on what looks like a closing one."""
    for path, command in _commands(get_command(app)):
        answer = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "5000"})
        assert answer.exit_code == 0, (path, answer.exception)
        shown = "".join(answer.output.split())
        assert not any("\n" in text for text in (command.help or "").split("\n\n")[1:]), (
            f"{path}: shown as it is broken"
        )
        for text in (command.help, *(getattr(parameter, "help", None) for parameter in command.params)):
            assert "".join((text or "").replace("\\[", "[").split()) in shown, (path, text)


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run_in_process(monkeypatch, "--version")
    assert printed.returncode == 0
    assert printed.stdout.startswith("skewbench ")
    assert "torch 2." in printed.stdout


def test_commands_of_the_sql_prompt(monkeypatch: pytest.MonkeyPatch, lake: str) -> None:
    def typed(lines: str) -> str:
        answer = run_in_process(monkeypatch, "sql", "--lake", lake, "--format", "csv", typed=lines)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    assert {"samples", "runs", "paired"} <= set(typed(".tables\n").split())
    assert "run_id,VARCHAR" in typed(".schema samples;\n")
    assert typed("SELECT 1 AS a;\nexit\nSELECT 2 AS b;\n") == "a\n1\n"
    assert typed("SELECT 'exit\n' AS a;\nquit;\n") == 'a\n"exit\n"\n'  # within a statement it is text
    unknown = run_in_process(monkeypatch, "sql", "--lake", lake, typed=".dump\n")
    assert (unknown.returncode, "use .tables, .schema NAME, help or exit" in unknown.stderr) == (2, True)


def test_duckdbs_caret_stays_in_place(monkeypatch: pytest.MonkeyPatch, lake: str) -> None:
    refused = run_in_process(monkeypatch, "sql", "SELECT run_id, nothing FROM runs", "--lake", lake)
    assert refused.returncode == 2
    statement, caret = refused.stderr.splitlines()[-2:]
    assert statement[caret.index("^") :].startswith("nothing")


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("skewbench run de", "demo"),
        ("skewbench verify --lake {lake} {run}", "{run_id}"),
        ("skewbench query --run {run}", None),
        ("skewbench query correl", "correlations"),
    ],
)
def test_a_shell_completes_names(lake: str, words: str, completed: str | None) -> None:
    """As bash asks for it."""
    (run_id,) = (path.stem for path in Path(lake).glob("_runs/*.json"))
    line = words.format(lake=lake, run=run_id[:4])
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1), "_SKEWBENCH_COMPLETE": "complete_bash"}
    answer = CliRunner().invoke(app, env=typed, prog_name="skewbench")
    assert answer.stdout.split() == ([completed.format(run_id=run_id)] if completed else [])
