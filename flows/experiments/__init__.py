"""The experiments that come with the package, and reading one from a file."""

from collections.abc import Sequence
from pathlib import Path

from skewbench.flows.experiments.strict_yaml import read_yaml
from skewbench.tasks.experiment import Experiment, parse_experiment
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.user_paths import user_path

_FOLDER = Path(__file__).parent


def bundled() -> list[str]:
    """Return the names of the experiments in the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load(name_or_path: str) -> Experiment:
    """Read an experiment.

    Args:
        name_or_path: Name of a bundled experiment, or path of a YAML file.

    Raises:
        InputError: No such file, or errors in it.
    """
    path = user_path(name_or_path, "experiment")
    if name_or_path in bundled():
        path = _FOLDER / f"{name_or_path}.yaml"
    elif path.is_dir():
        raise InputError(f"experiment {name_or_path!r}: this is a folder; name a YAML file in it")
    elif not path.is_file():
        raise InputError(f"experiment {name_or_path!r}: no such file; bundled experiments: {', '.join(bundled())}")
    return parse(path.read_bytes(), str(path))


def load_several(names_or_paths: Sequence[str]) -> list[Experiment]:
    """Read several experiments of different names.

    Args:
        names_or_paths: Names of bundled experiments, or paths of YAML files.

    Raises:
        InputError: No such file, errors in one, or two of one name.
    """
    found: dict[str, Experiment] = {}
    for given in names_or_paths:
        experiment = load(given)
        if experiment.name in found:
            raise InputError(f"experiment {given!r}: a second experiment of the name {experiment.name!r}")
        found[experiment.name] = experiment
    return list(found.values())


def parse(text: str | bytes, where: str) -> Experiment:
    """Read an experiment from YAML.

    Args:
        text: The YAML; bytes must be UTF-8.
        where: What an error message names, such as the path.

    Raises:
        InputError: The YAML or the experiment has errors.
    """
    content = read_yaml(text, where)
    if content is None:
        raise InputError(f"{where}: is empty; an experiment is a mapping of fields, and needs name and cells")
    if not isinstance(content, dict):
        raise InputError(f"{where}: an experiment is a mapping of fields, not {type(content).__name__}")
    return parse_experiment(content, where)
