"""What a tracker gets about a run, and what it does with it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from skewbench.vocabulary.errors import InputError, RunError

_SECRETS = ((re.compile(r"//[^/\s@]*@"), "//"), (re.compile(r"((?:token|key|password)=)[^&\s'\"]+"), r"\1..."))
"""Places of a URL that may hold a password, and their replacements."""
_LONGEST = 300
"""Characters of a tracker's error message."""


class NotSent(RunError):
    """A tracker did not take a run. The run in the lake is complete."""


@dataclass(frozen=True)
class TrackedRun:
    """A run as trackers get it.

    Args:
        run_id: The run's id.
        experiment: Name of the experiment, under which the tracker groups runs.
        description: The experiment's description.
        settings: The experiment, as nested JSON values.
        tags: Status, model, revision and versions.
        metrics: Numbers of the query `operating_curve` by `<cell>/<metric>`: the mean, and with `/low`, `/high`, `/n`
            and `/worst_case` its 95% interval, n, and the mean if failed samples count as the worst. `<cell>/samples`,
            `<cell>/failed`, `<cell>/blank` and `<cell>/nonfinite` count samples. Values that are NULL are left out.
        folder: A folder with `report.html`, `settings.yaml`, `cells.csv` (all columns of the query) and
            `figures/*.png`. It exists only while the run is sent.
    """

    run_id: str
    experiment: str
    description: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    folder: Path

    @property
    def figures(self) -> list[Path]:
        """The figures of the report, in its order."""
        return sorted((self.folder / "figures").iterdir())


class Tracker(ABC):
    """A tracker of experiments. Where it stores runs is decided by its own environment variables."""

    name: ClassVar[str]
    """Name, as `--track` takes it."""
    package: ClassVar[str]
    """Top-level module of its package."""
    install: ClassVar[str]
    """Command that installs it."""

    def check(self) -> None:
        """Check that the tracker can be used.

        Raises:
            InputError: Its package is missing.
        """
        if find_spec(self.package) is None:
            raise InputError(f"tracker {self.name!r}: needs the package {self.package}; `{self.install}` installs it")

    @abstractmethod
    def send(self, run: TrackedRun) -> str:
        """Store a run, in place of an earlier copy where the tracker allows it.

        Args:
            run: The run.

        Returns:
            Where it is stored, for people.

        Raises:
            Exception: The tracker did not take it; any class, as its package raises them.
        """


def one_line(text: object) -> str:
    """Return a text of a tracker in one line, without passwords and tokens of URLs.

    Args:
        text: An error, a path or a URL.
    """
    line = " ".join(str(text).split())
    for secret, instead in _SECRETS:
        line = secret.sub(instead, line)
    return line[:_LONGEST] or type(text).__name__


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings: `{"model": {"id": "x"}}` becomes `{"model.id": "x"}`. Named items go by their names.

    Args:
        settings: Nested JSON values.
        prefix: Beginning of each key.
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
            value = {str(one["name"]): {name: of for name, of in one.items() if name != "name"} for one in value}
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
