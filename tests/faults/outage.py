"""A lake in a bucket whose server goes away in the middle of a run, and comes back."""

import random
import time
from pathlib import Path

import obstore

from skewbench.storage.bucket import PATIENCE
from tests.faults.disturbances import Moment
from tests.faults.processes import Command
from tests.object_store import S3Server

PATIENT = 8.0
"""Seconds for which a run in a round asks a store that does not answer."""
LONGEST = 20.0
"""Seconds of the longest outage: some runs bridge it, some end and are started again."""


class StoreThatGoesAway:
    """Within: a server, with a lake that is named as a local one is and to be copied to it."""

    def __init__(self, folder: Path, lake: Path) -> None:
        self._server, self._copy = S3Server(folder), lake

    def __enter__(self) -> "StoreThatGoesAway":
        self._server.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._server.stop()

    @property
    def lake(self) -> str:
        """Its URL."""
        return self._server.lake(self._copy.name)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a run reaches it."""
        return {**self._server.environment, PATIENCE: str(PATIENT)}

    def cut(self, command: Command, moment: Moment, dice: random.Random) -> str:
        """Stop the server at that moment, and start it again after a while; returns when and for how long."""
        if not moment.wait(command, self._receipts):
            return "came too late"
        away = dice.uniform(0.0, LONGEST)
        self._server.stop()
        time.sleep(away)
        self._server.start()
        return f"after {moment.receipts} receipts, {away:.0f} s"

    def copy(self) -> None:
        """Bring all that is in the lake to the local folder."""
        for path in self._paths():
            file = self._copy.parent / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(obstore.get(self._server.client(), path).bytes()))

    def _receipts(self) -> int:
        return sum("/_receipts/" in path for path in self._paths())

    def _paths(self) -> list[str]:
        pages = obstore.list(self._server.client(), prefix=self._copy.name)
        return [str(found["path"]) for page in pages for found in page]
