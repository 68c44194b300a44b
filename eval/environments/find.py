"""Finds prepared environments on this machine, and says what one lacks."""

import os
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path

from skewbench.eval.environments.declaration import Environment
from skewbench.vocabulary.user_paths import folder_from_environment, user_path

FOLDER = "SKEWBENCH_ENVIRONMENTS"
"""Environment variable: the folder that holds a folder for each prepared environment."""


def folder() -> Path:
    """Return the folder in which environments are prepared: beside the weights."""
    return folder_from_environment(FOLDER, ".cache", "skewbench", "environments").absolute()


def place(environment: Environment) -> Path:
    """Return where an environment is prepared. The folder appears when it is complete.

    Args:
        environment: The environment.
    """
    return folder() / environment.key


def find(environment: Environment) -> Path | None:
    """Find an environment on this machine: at `$SKEWBENCH_ENV_<NAME>`, else where it is prepared.

    Args:
        environment: The environment.

    Returns:
        Its folder; None if it is not on this machine, or if the variable names a folder that is no such environment.
    """
    path = named(environment)
    if path:
        return None if _unusable(environment, path) else path
    own = place(environment)
    return own if os.access(python_of(own), os.X_OK) else None  # a Python that was removed leaves a dead link


def named(environment: Environment) -> Path | None:
    """Return the folder that the environment's variable names, absolute; None: it is not set.

    Args:
        environment: The environment.

    Raises:
        InputError: The variable holds no path.
    """
    given = os.environ.get(environment.variable)
    return user_path(given, f"${environment.variable}").absolute() if given else None


def python_of(path: Path) -> Path:
    """Return the interpreter of an environment.

    Args:
        path: The environment's folder.
    """
    return path / "bin" / "python"


def packages_of(path: Path) -> Path:
    """Return the folder of an environment's own packages.

    Args:
        path: The environment's folder.
    """
    return path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def version_in(path: Path, package: str) -> str | None:
    """Return the version of a package of an environment's own; None: it has no such package.

    Args:
        path: The environment's folder.
        package: Name of the package.
    """
    found = distributions(name=package, path=[str(packages_of(path))])
    return next((one.version for one in found), None)


def package_of(environment: Environment) -> str:
    """Return the main package with its version, such as `image-reward 1.5`.

    Args:
        environment: The environment. The version is the prepared one's; of one that is not prepared, the declared one.
    """
    path = find(environment)
    version = version_in(path, environment.package) if path else None
    return f"{environment.package} {version or environment.version}"


def missing(environment: Environment) -> str | None:
    """Return why an environment cannot be used and need not be tried; None: it is prepared, or may be.

    Args:
        environment: The environment.
    """
    from packaging.specifiers import SpecifierSet

    if path := named(environment):
        return _unusable(environment, path)
    if find(environment):
        return None
    here = platform.python_version()
    if not SpecifierSet(environment.python).contains(here, prereleases=True):
        return (
            f"environment {environment.name} needs Python {environment.python}, and this is {here}; install skewbench "
            "in such a Python"
        )
    reason = failure(environment)
    return _advice(environment, f"could not be prepared ({reason})") if reason else None


def unprepared(environment: Environment) -> str | None:
    """Return why an environment is not ready for use, with the command that prepares it; None: it is ready.

    Args:
        environment: The environment.
    """
    if reason := missing(environment):
        return reason
    return None if find(environment) else _advice(environment, "is not prepared")


def failed_mark(environment: Environment) -> Path:
    """Return the file that says why the last attempt to prepare an environment failed.

    Args:
        environment: The environment.
    """
    return folder() / f"{environment.key}.failed"


def failure(environment: Environment) -> str | None:
    """Return why the last attempt to prepare an environment on this machine failed; None: none failed.

    Args:
        environment: The environment.
    """
    try:
        return failed_mark(environment).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _advice(environment: Environment, what: str) -> str:
    return f"environment {environment.name} {what}; `skewbench weights get {environment.name}`"


def _unusable(environment: Environment, path: Path) -> str | None:
    """Why a folder that a user named cannot be used as the environment."""
    where = f"{environment.variable} is {str(path)!r}"
    if not os.access(python_of(path), os.X_OK):
        return f"{where}: no environment is there, since it has no bin/python"
    if not packages_of(path).is_dir():
        mine = "{}.{}".format(*sys.version_info)
        return f"{where}: no environment of Python {mine} is there, since it has no lib/python{mine}/site-packages"
    if version_in(path, environment.package) is None:
        return f"{where}: package {environment.package} is not installed there; pip install {environment.pip[0]}"
    return None
