"""Turns the final state of a flow that a command ran into an error, unless the flow completed."""

from typing import TYPE_CHECKING, Any

from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    from prefect.states import State


class StoppedBySignalError(RunError):
    """A signal stopped the flow, such as SIGTERM."""


def raise_unless_completed(state: "State[Any]") -> None:
    """Raise the error of a flow that did not complete.

    Args:
        state: The final state of the flow run.

    Raises:
        Exception: The flow's own error, if it failed or crashed.
        StoppedBySignalError: A signal stopped it.
        RunError: It failed without an error, or ended otherwise, for example cancelled in the UI.
    """
    if state.is_completed():
        return
    if state.is_failed() or state.is_crashed():
        error = state.result(raise_on_failure=False)
        if _is_stopped(error):
            raise StoppedBySignalError("the run was stopped by a signal; run the same command again to resume")
        raise error if isinstance(error, Exception) else RunError(str(state.message))
    outcome = f"{state.name}: {state.message}" if state.message else state.name
    raise RunError(f"the flow did not finish ({outcome}); run the same command again to resume")


def _is_stopped(error: object) -> bool:
    """Whether a signal caused an error. DuckDB raises an error of its own if a signal arrives during a query."""
    from prefect.exceptions import TerminationSignal

    while isinstance(error, BaseException):
        if isinstance(error, TerminationSignal | KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
