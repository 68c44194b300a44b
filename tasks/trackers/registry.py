"""Trackers by name; others' come through entry points."""

from skewbench.tasks.trackers.contract import Tracker
from skewbench.vocabulary.registry import Registry

_DECLARES = ("name", "package", "install")


def register(tracker: type[Tracker]) -> type[Tracker]:
    """Register a tracker: a class decorator.

    Args:
        tracker: The class of the tracker. It is registered as an instance.
    """
    trackers.register(tracker.name, tracker(), tracker.__module__)
    return tracker


def check_tracker(name: str) -> None:
    """Check that a tracker exists and that its package is installed.

    Args:
        name: Name of the tracker.

    Raises:
        InputError: No such tracker, or a missing package. The message says what to do.
    """
    trackers.get(name).check()


def _check(name: str, tracker: Tracker) -> None:
    """Raise `ValueError` for a tracker that leaves out a field."""
    if missing := [field for field in _DECLARES if not getattr(tracker, field, None)]:
        raise ValueError(f"it declares no {', '.join(missing)}")


trackers: Registry[Tracker] = Registry(
    "skewbench.trackers", kind="tracker", own="skewbench.tasks.trackers", check=_check
)
