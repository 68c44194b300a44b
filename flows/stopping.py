"""Ctrl-C in a command that runs a flow: its flow run is cancelled, where Prefect would call it crashed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import State

INTERRUPTED = "interrupt signal"
"""Text in Prefect's message of a flow run that ended by KeyboardInterrupt."""


def cancel_if_interrupted(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State[Any]") -> None:
    """Mark an interrupted flow run as cancelled: a hook for `on_crashed` of each flow.

    Args:
        flow: The flow.
        flow_run: Its run.
        state: The state that Prefect gave it.
    """
    from prefect import get_client
    from prefect.states import Cancelled

    if INTERRUPTED in (state.message or ""):
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Cancelled(message="stopped by Ctrl-C"), force=True)
