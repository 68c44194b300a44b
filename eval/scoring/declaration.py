"""Declarations of scorers: their names and metrics are known without importing heavy libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from skewbench.eval import environments
from skewbench.eval.environments import Environment
from skewbench.eval.scoring.contract import GroupScorer, SampleScorer, SetScorer
from skewbench.eval.scoring.features import FEATURES
from skewbench.eval.weights import missing
from skewbench.eval.weights.catalogue import PACKAGES, WEIGHTS, Weights, add
from skewbench.vocabulary.metrics import Medium, Metric, Unit, stored
from skewbench.vocabulary.registry import Registry

Make = TypeVar("Make", bound=Callable[..., Any])
CONTRACTS: dict[Unit, type] = {"sample": SampleScorer, "prompt": GroupScorer, "cell": SetScorer}
"""The contract of scorers by unit."""
RESERVED = frozenset({"alignment", "all", "lost", "peak_memory", "seconds"})
"""Names that comparisons use for values that no scorer computes."""


@dataclass(frozen=True)
class Declaration:
    """The declaration of a scorer, made by `scorer`."""

    name: str
    version: int
    unit: Unit
    medium: Medium
    metrics: tuple[Metric, ...]
    needs: tuple[str, ...]
    weights: tuple[Weights, ...]
    set: str
    environment: Environment | None
    make: Callable[..., Any]

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of its metrics, in its order."""
        return tuple(metric.name for metric in self.metrics)

    def unfit(self, medium: Medium) -> str | None:
        """Return why the scorer cannot score samples of a medium; None if it can.

        Args:
            medium: The medium that a model generates.
        """
        return None if medium == self.medium else f"it scores {self.medium}, and the model generates {medium}"

    def missing(self, prepared: bool = False) -> str | None:
        """Return why the scorer cannot compute values on this machine; None if it can.

        Args:
            prepared: Its environment must be prepared already. Otherwise the first batch prepares it.

        Returns:
            The first reason, with the command that installs what is missing.
        """
        reason = missing(self.needs)
        if reason or self.environment is None:
            return reason
        return environments.unprepared(self.environment) if prepared else environments.missing(self.environment)

    @property
    def package(self) -> str:
        """The main package of its environment with the version on this machine; empty for one without environment."""
        return environments.package_of(self.environment) if self.environment else ""


def scorer(
    *,
    name: str,
    version: int,
    unit: Unit,
    medium: Medium,
    metrics: Iterable[Metric],
    needs: Iterable[str | Weights] = (),
    set: str = "",
    environment: Environment | None = None,
) -> Callable[[Make], Make]:
    """Declare and register a scorer: decorates its class, or a function that makes one.

    The decorated class is called once per process, at the first batch, with a `Scorers` (the device, CLIPs that several
    scorers share) if it takes an argument. It does what `CONTRACTS` says of its unit. The file must import heavy
    libraries inside of functions: all scorers' files are imported to know their names.

    Args:
        name: In experiments, and in the column `scorer` of the lake.
        version: Raised whenever a number that it computes may change.
        unit: What one value is of: `sample`, `prompt` or `cell`.
        medium: What it scores: `image`, `audio` or `video`. In runs of another medium its metrics are absent.
        metrics: What it computes.
        needs: Names of weights in the catalogue or of optional packages, or its own `Weights`.
        set: For the units `prompt` and `cell`, the set's definition, in words.
        environment: Packages that cannot be installed beside skewbench. The scorer then computes in a process of that
            environment.

    Returns:
        The decorator, which returns what it decorates.
    """

    def register(make: Make) -> Make:
        wanted = tuple(needs)
        declared = Declaration(
            name=name,
            version=version,
            unit=unit,
            medium=medium,
            metrics=tuple(metrics),
            needs=tuple(need.name if isinstance(need, Weights) else need for need in wanted),
            weights=tuple(need for need in wanted if isinstance(need, Weights)),
            set=set,
            environment=environment,
            make=make,
        )
        REGISTRY.register(name, declared, make.__module__)
        return make

    return register


def _check(name: str, declared: Declaration) -> None:
    """Raises `ValueError` for a declaration that breaks the contract."""
    _check_fields(name, declared)
    names = declared.metric_names
    if not names or len(frozenset(names)) < len(names):
        raise ValueError("it declares no metric, or a duplicate metric")
    for metric in declared.metrics:
        if metric.name in RESERVED:
            raise ValueError(f"metric {metric.name!r}: the name is reserved")
        if (owner := _OWNERS.get(metric.name, name)) != name:
            raise ValueError(f"metric {metric.name!r} is that of scorer {owner!r}")
        if metric.grows_with_n and declared.unit == "sample":
            raise ValueError(f"metric {metric.name!r} grows with n, but its unit is sample")
    for weights in declared.weights:
        add(weights)
    if declared.environment:
        ENVIRONMENTS[declared.environment.name] = declared.environment
    _OWNERS.update(dict.fromkeys(names, name))


def _check_fields(name: str, declared: Declaration) -> None:
    if not name.isidentifier() or not name.islower() or name in RESERVED:
        raise ValueError("the name must consist of lower-case letters, digits and underscores")
    if not isinstance(declared.version, int) or declared.version < 1:
        raise ValueError(f"version is {declared.version!r}; it must be an integer >= 1")
    if declared.unit not in get_args(Unit):
        raise ValueError(f"unit is {declared.unit!r}; one of {', '.join(get_args(Unit))}")
    if declared.medium not in get_args(Medium):
        raise ValueError(f"medium is {declared.medium!r}; one of {', '.join(get_args(Medium))}")
    if declared.environment is not None:
        _check_environment(declared.environment)
    if (declared.unit != "sample") != bool(declared.set):
        raise ValueError("set is only for the units prompt and cell, and defines the set")
    if not all(isinstance(metric, Metric) for metric in declared.metrics):
        raise ValueError("metrics are Metric(...)")
    contract = CONTRACTS[declared.unit]
    if isinstance(declared.make, type) and not issubclass(declared.make, contract):
        raise ValueError(f"it is not a {contract.__name__}, which its unit {declared.unit} requires")


def _check_environment(environment: Environment) -> None:
    if not isinstance(environment, Environment):
        raise ValueError(f"environment is {environment!r}; an Environment(name, pip=(...)) is needed")
    if ENVIRONMENTS.get(environment.name, environment) != environment:
        raise ValueError(f"environment {environment.name!r}: there is another of this name")
    if environment.name in {*WEIGHTS, *PACKAGES}:
        raise ValueError(f"environment {environment.name!r}: there are weights or a package of this name")


ENVIRONMENTS: dict[str, Environment] = {}
"""All environments that scorers declare, by name."""
_OWNERS: dict[str, str] = {}
"""The scorer of each metric."""
REGISTRY: Registry[Declaration] = Registry("skewbench.scorers", "scorer", own="skewbench.eval.scorers", check=_check)
"""All scorers: those in `skewbench.eval.scorers`, and of installed packages those of the group `skewbench.scorers`."""


def names() -> list[str]:
    """Return the names of all scorers, sorted."""
    return REGISTRY.names()


def declaration(name: str) -> Declaration:
    """Return the declaration of a scorer.

    Args:
        name: Name of the scorer.

    Raises:
        UnknownName: No scorer has this name; it is a `ValueError` and an `InputError`.
    """
    return REGISTRY.get(name)


def stored_metrics(scorers: Iterable[str]) -> list[dict[str, Any]]:
    """Return the entries of scorers' metrics in a run's manifest.

    Args:
        scorers: Names of scorers.

    Returns:
        One dictionary per metric, with the fields of `Metric` and of its scorer
        (`skewbench.vocabulary.metrics.stored`).
    """
    found = map(declaration, scorers)
    return [row for one in found for row in stored(one.name, one.version, one.unit, one.medium, one.metrics)]


def problems() -> list[str]:
    """Return one line for each scorer, or features, of another package that cannot be used."""
    return REGISTRY.problems() + FEATURES.problems()
