"""What commands print as tables: whole, on a narrow terminal too, and a row a line into a pipe."""

import io
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from skewbench.flows.cli import app, main
from skewbench.flows.cli.tables import console, folding, print_rows
from tests.lakes import Lake, made

COMMAND = "skewbench weights get clip-vit-l-14"


@pytest.fixture
def lake(tmp_path: Path) -> str:
    made(tmp_path, Lake(prompts=2, images=False))
    return str(tmp_path)


def words(printed: str) -> str:
    """All that the cells of a table say, without its lines."""
    return "".join("".join(character for character in printed if not "─" <= character <= "╿").split())


def test_a_narrow_terminal_folds_what_is_to_be_copied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "30")
    table = folding("needs")
    table.add_row(COMMAND.replace(" ", "-"))
    console().print(table)
    printed = capsys.readouterr().out
    assert "┏" + "━" * 28 + "┓" in printed
    assert COMMAND.replace(" ", "-") in words(printed)


def test_a_pipe_has_a_row_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    print_rows(pl.DataFrame({"how": [COMMAND * 20]}), "table")
    assert COMMAND * 20 in capsys.readouterr().out


@pytest.mark.parametrize("command", [["status"], ["runs", "list"]])
def test_times_are_whole(lake: str, command: list[str]) -> None:
    listed = CliRunner().invoke(app, [*command, "--lake", lake], env={"COLUMNS": "80"})
    assert listed.exit_code == 0
    assert "…" not in listed.stdout


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT cell, count(*) AS n FROM samples GROUP BY cell", ["cell", "n"]),
        ("DESCRIBE samples", ["column_name", "column_type", "null", "key", "default", "extra"]),
    ],
)
def test_sql_is_answered_in_its_own_columns(lake: str, statement: str, columns: list[str]) -> None:
    answer = CliRunner().invoke(app, ["sql", statement, "--lake", lake])
    assert answer.exit_code == 0
    heading = next(line for line in answer.stdout.splitlines() if "┃" in line)
    assert [name.strip() for name in heading.strip("┃").split("┃")] == columns


def test_a_named_query_says_once_what_all_rows_share(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"run_id": ["toy"] * 2, "why": [None] * 2, "cell": ["a", "b"]})
    print_rows(rows, "table", shared_once=True)
    printed = capsys.readouterr().out
    assert printed.startswith("run_id: toy\n")
    assert "why" not in printed


def test_long_texts_of_cells_have_a_table_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    settings = [f"alpha {cell}, and all other settings of this cell" for cell in "ab"]
    rows = pl.DataFrame({"cell": list("aabb"), "settings": [settings[i] for i in (0, 0, 1, 1)], "value": range(4)})
    print_rows(rows.with_columns(reason=pl.Series([settings[0], *"xyz"])), "table", shared_once=True)
    values, cells = capsys.readouterr().out.split("└", 1)
    assert not any(text in values for text in ("┃ settings", settings[1]))
    assert "reason" in values
    assert [cells.count(text) for text in settings] == [1, 1]


def test_a_narrow_terminal_leaves_out_columns_rather_than_wrap_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "60")
    names = ("mean", "change", "low", "high", "median_change", "baseline_sd", "n")
    rows = pl.DataFrame({"metric": ["a", "b"]} | {name: [0.123456, -0.123456] for name in names})
    print_rows(rows, "table", shared_once=True)
    printed = capsys.readouterr()
    assert printed.out.count("-0.1235") == 5
    assert "too narrow: median_change, baseline_sd; --format csv prints all columns" in printed.err
    print_rows(rows, "table")  # a person's own SQL names its columns
    assert capsys.readouterr().out.splitlines()[0].count("┳") == len(names)
    monkeypatch.setenv("COLUMNS", "30")  # the others would not fit either
    print_rows(rows, "table", shared_once=True)
    assert capsys.readouterr().out.splitlines()[0].count("┳") == len(names)


def _printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> tuple[int, bytes, bytes]:
    """What a command prints to a terminal of an encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "argv", ["skewbench", *arguments])
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
        out.flush(), err.flush()
    return int(ended.value.code or 0), out.buffer.getvalue(), err.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_that_lack_characters(lake: str, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Tables spell them out; what programs read is UTF-8."""
    statement = ("sql", "SELECT 'α→' AS a", "--lake", lake)
    code, out, _ = _printed(monkeypatch, encoding, *statement)
    assert (code, b"\\u03b1\\u2192" in out) == (0, True)
    for format in ("csv", "json", "markdown"):
        code, out, _ = _printed(monkeypatch, encoding, *statement, "--format", format)
        assert (code, "α→".encode() in out) == (0, True)
    code, _, err = _printed(monkeypatch, encoding, "plan", "α.yaml")
    assert (code, b".yaml': no such file" in err) == (2, True)


def test_arguments_that_are_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux gives them as halves of surrogate pairs."""
    for arguments in (["plan", "demo", "--prompts", "\udce9.txt"], ["sql", "SELECT '\udce9'"]):
        code, _, err = _printed(monkeypatch, "utf-8", *arguments)
        assert code == 2
        assert b"\\udce9" in err
        assert b"is not UTF-8 text; rename the file" in err
