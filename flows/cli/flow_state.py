"""Turns the final state of a flow that a command ran into an error, unless the flow completed."""

from typing import TYPE_CHECKING, Any

from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    from prefect.states import State


def raise_unless_completed(state: "State[Any]") -> None:
    """Raise the error of a flow that did not complete.

    Args:
        state: The final state of the flow run.

    Raises:
        Exception: The flow's own error, if it failed or crashed.
        RunError: It failed without an error, or ended otherwise, for example cancelled in the UI.
    """
    if state.is_completed():
        return
    if state.is_failed() or state.is_crashed():
        error = state.result(raise_on_failure=False)
        raise error if isinstance(error, Exception) else RunError(str(state.message))
    outcome = f"{state.name}: {state.message}" if state.message else state.name
    raise RunError(f"the flow did not finish ({outcome}); run the same command again to resume")
