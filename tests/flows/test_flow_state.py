"""How commands tell the end of the flow that they ran: an error, whatever it is called, unless it completed."""

from typing import Any

import pytest
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Completed, Crashed, Failed, State, Suspended

from skewbench.flows.cli.flow_state import raise_unless_completed
from skewbench.vocabulary.errors import InputError, RunError


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        (Failed(data=InputError("seeds: no"), message="not this"), InputError, "^seeds: no$"),
        (Crashed(data=RunError("no worker left")), RunError, "^no worker left$"),
        (Cancelled(message="by somebody"), RunError, "did not finish .Cancelled: by somebody."),
        (Cancelled(), RunError, "did not finish .Cancelled."),
        (Suspended(), RunError, "did not finish .Suspended"),
    ],
)
def test_what_did_not_complete_is_an_error(state: State[Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        raise_unless_completed(state)


def test_what_completed_is_none() -> None:
    raise_unless_completed(Completed(message="done"))


def test_a_signal_that_a_query_turned_into_its_own_error_is_a_stop() -> None:
    error = RuntimeError("Query interrupted")
    error.__cause__ = TerminationSignal(signal=15)
    with pytest.raises(RunError, match="stopped by a signal; run the same command again"):
        raise_unless_completed(Failed(data=error))
