"""The commands that the documentation shows exist, with the options that it gives them."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer

from skewbench.flows.cli import app
from skewbench.flows.experiments import parse
from skewbench.sql import LakeError
from skewbench.vocabulary.errors import InputError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "infra/README.md"]
COMMAND = re.compile(r"^(?: {4}|\$ )(?:\w+=\S+ )*(?:\.venv/bin/)?skewbench (\S.*)$", re.MULTILINE)
TUTORIAL = ROOT / "docs/tutorial.md"


def _shown() -> list[tuple[str, str]]:
    texts = {page.name: page.read_text(encoding="utf-8").replace("\\\n", "") for page in PAGES}
    return [(page, line) for page, text in texts.items() for line in COMMAND.findall(text)]


@pytest.mark.parametrize(("page", "line"), _shown())
def test_a_command_has_the_options_that_a_page_gives_it(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    optional = re.compile(r"\[(.*?)\]")  # as help writes options that may be left out, with one of `a|b`
    arguments = [word.split("|")[0] for word in shlex.split(optional.sub(r"\1", " ".join(map(shlex.quote, words))))]
    command = typer.main.get_group(app)
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]  # type: ignore[assignment]
    assert command.name not in (None, "skewbench"), f"{page}: skewbench {line}: no such command"
    context = command.context_class(command)
    try:
        command.parse_args(context, arguments)
    except (InputError, LakeError):
        pass  # the option exists; its value is a placeholder, such as HOST:6379
    except Exception as error:  # a usage error of the click that typer brings
        pytest.fail(f"{page}: skewbench {line}: {getattr(error, 'message', error)!r}")


def test_the_tutorials_experiment_is_valid_and_its_commands_are_found() -> None:
    page = TUTORIAL.read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / "docs/tutorial.py"))
    ((name, content),) = script["FILE"].findall(page)
    assert parse(content, name).name == name.removesuffix(".yaml")
    found = script["commands"](page)
    assert found[0] == "make install"
    assert sum(name in command for command in found) == 1
    assert page.count("\n$ ") == len(found)


def _shown_rows(page: str, command: str) -> list[dict[str, str]]:
    """The first table that the tutorial shows below a command."""
    table = page.split(command, 1)[1].split("```", 1)[0]
    head, *rows = [re.split(" *[┃│] *", line.strip(" ┃│")) for line in table.splitlines() if line[:1] in ("┃", "│")]
    return [dict(zip(head, row, strict=True)) for row in rows if len(row) == len(head)]


def test_the_tutorials_answers_follow_from_what_it_shows() -> None:
    page = TUTORIAL.read_text(encoding="utf-8")
    excludes_0 = {
        (row["cell"], row["metric"]): float(row["low"]) > 0 or float(row["high"]) < 0
        for row in _shown_rows(page, '--where "metric IN')
    }
    assert {cell for (cell, _), shown in excludes_0.items() if shown} == {"static-a1.2-b5", "static-a1.5-b5"}
    assert not any(shown for (cell, _), shown in excludes_0.items() if cell == "adaptive-a1.5-b5")
    own = {row["metric"]: row for row in _shown_rows(page, "--run gentle")}
    assert float(own["binding"]["high"]) < 0
    assert float(own["msssim_diversity"]["low"]) < 0 < float(own["msssim_diversity"]["change"])
