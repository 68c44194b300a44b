"""The course of a rating session: which comparison is next, votes and withdrawals."""

import threading
from collections.abc import Sequence
from typing import Literal

from skewbench.tasks.rating.shuffle import Placed
from skewbench.tasks.rating.votes import Votes

Side = Literal["left", "right", "tie"]


class StaleVoteError(Exception):
    """A vote on a comparison that is not the current one, for example from a second window."""


class Session:
    """One rater's way through the comparisons. It resumes after the votes that the lake has. Safe for threads.

    Args:
        placed: The comparisons, in their order.
        votes: The rater's votes.

    Attributes:
        votes_written: Votes of this session, without those that it withdrew.
    """

    def __init__(self, placed: Sequence[Placed], votes: Votes) -> None:
        self._placed, self._votes = placed, votes
        self._lock = threading.Lock()
        self.votes_written = 0
        voted = [one for one in placed if self._is_voted(one)]
        self._history = sorted(voted, key=lambda one: votes.newest[one.comparison.key].time)
        """What undo takes back, the last vote last."""

    @property
    def total(self) -> int:
        """The number of comparisons."""
        return len(self._placed)

    @property
    def done(self) -> int:
        """The number of comparisons with a vote."""
        return len(self._history)

    def current(self) -> Placed | None:
        """Return the first comparison without a vote; None at the end."""
        return next((one for one in self._placed if not self._is_voted(one)), None)

    def following(self) -> Placed | None:
        """Return the comparison after the current one, which a page may load ahead; None at the end."""
        left = [one for one in self._placed if not self._is_voted(one)]
        return left[1] if len(left) > 1 else None

    def at(self, position: int) -> Placed | None:
        """Return a comparison by its position, from 1; None if there is none.

        Args:
            position: Its position.
        """
        return self._placed[position - 1] if 1 <= position <= len(self._placed) else None

    def vote(self, position: int, side: Side) -> None:
        """Vote on the current comparison. The vote is durable when this returns.

        Args:
            position: Position of the comparison that the rater saw.
            side: The better side, or `tie`.

        Raises:
            StaleVoteError: It is not the current comparison. Nothing was written.
            Exception: As `Votes.write`.
        """
        with self._lock:
            placed = self.current()
            if placed is None or placed.position != position:
                raise StaleVoteError(position)
            self._votes.write(placed, None if side == "tie" else placed.cells[side == "right"])
            self._history.append(placed)
            self.votes_written += 1

    def undo(self) -> bool:
        """Withdraw the last vote, also one of an earlier session.

        Returns:
            Whether there was one.

        Raises:
            Exception: As `Votes.write`.
        """
        with self._lock:
            if not self._history:
                return False
            self._votes.write(self._history[-1], None, withdrawn=True)
            self._history.pop()
            self.votes_written -= 1
            return True

    def _is_voted(self, placed: Placed) -> bool:
        newest = self._votes.newest.get(placed.comparison.key)
        return newest is not None and not newest.withdrawn
