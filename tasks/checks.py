"""Checks a user's request before anything heavy is imported, so that bad input is an error within a second."""

from collections.abc import Iterable

from skewbench.eval.scorers import declaration, problems
from skewbench.eval.scorers import names as scorer_names
from skewbench.stability.knobs import KNOBS
from skewbench.tasks.experiment import DEFAULT_METRICS, Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.models import check_model
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.trackers.registry import trackers
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.metrics import Medium


def check_experiment(experiment: Experiment) -> None:
    """Check that prompts, scorers and model exist. Reads no weights.

    Args:
        experiment: The experiment.

    Raises:
        InputError: One of them does not exist or cannot be used.
    """
    load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    check_model(experiment.model)


def check_metrics(metrics: Iterable[str], required: Iterable[str] = ()) -> None:
    """Check the scorers of an experiment.

    Args:
        metrics: Names of scorers.
        required: Names of scorers that must have values.

    Raises:
        InputError: A scorer is unknown, or the weights of a required one are missing.
    """
    required = tuple(required)
    for name in (*metrics, *required):
        if name not in scorer_names():
            left_out = "".join(f"; {problem}" for problem in problems())
            raise InputError(f"metrics {name!r}: no such scorer; there are {', '.join(scorer_names())}{left_out}")
    for name in required:
        if reason := declaration(name).missing(prepared=True):
            raise InputError(f"metric {name!r} is required: {reason}")


def check_media(metrics: Iterable[str], medium: Medium, required: Iterable[str] = ()) -> None:
    """Check that scorers support the medium of a run. The default metrics, which are of images, always pass.

    Args:
        metrics: Names of scorers.
        medium: What the run generates.
        required: Names of scorers that must give values.

    Raises:
        InputError: A scorer of another medium.
    """
    metrics = tuple(metrics)
    for name in (*(() if metrics == DEFAULT_METRICS else metrics), *required):
        if reason := declaration(name).unfit(medium):
            others = ", ".join(other for other in scorer_names() if not declaration(other).unfit(medium))
            raise InputError(f"metrics {name!r}: {reason}; scorers of {medium}: {others}")


def lacking(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the scorers of `metrics` whose weights or packages are missing on this machine.

    Args:
        metrics: Names of scorers.
    """
    return tuple(name for name in metrics if declaration(name).missing())


def to_prepare(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the environments that the first worker would prepare on this machine.

    Args:
        metrics: Names of scorers.
    """
    used = [one for one in map(declaration, metrics) if one.environment and not one.missing()]
    return tuple(dict.fromkeys(one.environment.name for one in used if one.environment and one.missing(prepared=True)))


def plugin_problems() -> list[str]:
    """Return one line for each addition of another package that cannot be used, with the reason.

    These are scorers, knobs, families and trackers.
    """
    return [*problems(), *KNOBS.problems(), *families.problems(), *trackers.problems()]


def expand(metrics: Iterable[str], medium: Medium) -> tuple[str, ...]:
    """Check the names of scorers for a run, and return each once; `all` stands for all scorers of its medium.

    Args:
        metrics: Names of scorers, or `all`.
        medium: What the run generates.

    Raises:
        InputError: A name is unknown, or a scorer is of another medium.
    """
    named = tuple(dict.fromkeys(metrics))
    check_metrics(name for name in named if name != "all")
    fitting = [name for name in scorer_names() if not declaration(name).unfit(medium)]
    chosen = tuple(dict.fromkeys(name for given in named for name in (fitting if given == "all" else (given,))))
    check_media(chosen, medium)
    return chosen
