"""The design of a search: the division of a budget of images into rounds, trials and prompts.

Each round is a run on prompts of its own: the baseline, new trials, and the best trials so far. A trial that stays
gains prompts (successive halving over prompts), and no image is generated twice. The last round of the search has only
the finalists. A third of the budget is left for the chosen setting and the baseline on prompts that the search did not
use.
"""

from dataclasses import dataclass

from skewbench.vocabulary.errors import InputError

CELLS = 8
"""Cells of a round: the baseline, new trials, and those that stay."""
KEPT = 2
"""Trials that stay from one round to the next."""
FINALISTS = 3
"""Trials of the last round."""
LEAST_PROMPTS, LEAST_HELD_OUT = 4, 10
"""Prompts of a round, and of the held-out measurement: fewer than ten support no finding."""
MOST_ROUNDS = 8


@dataclass(frozen=True)
class Design:
    """Numbers of a search.

    Args:
        seeds: Images per prompt and cell.
        rounds: Rounds with new trials.
        prompts: Prompts of each of these; the last round, with the finalists, has twice as many.
        cells: Cells of each of these, with the baseline.
        held_out: Prompts of the held-out measurement.
    """

    seeds: int
    rounds: int
    prompts: int
    cells: int
    held_out: int

    @property
    def all_prompts(self) -> int:
        """Prompts of the whole search, held-out ones included."""
        return self.searched + self.held_out

    @property
    def searched(self) -> int:
        """Prompts of the search without the held-out ones."""
        return (self.rounds + 2) * self.prompts

    @property
    def images(self) -> int:
        """Images that the search generates, held-out ones included."""
        explored = self.rounds * self.prompts * self.cells + 2 * self.prompts * (FINALISTS + 1)
        return self.seeds * (explored + 2 * self.held_out)

    def fresh(self, number: int) -> int:
        """Return the number of new trials in a round.

        Args:
            number: The round, from 0.
        """
        return self.cells - 1 - (KEPT if number else 0)


def least_budget(seeds: int) -> int:
    """Return the smallest budget of a search, in images.

    Args:
        seeds: Seeds of each prompt.
    """
    return Design(seeds, 1, LEAST_PROMPTS, CELLS, LEAST_HELD_OUT).images


def divide(budget: int, seeds: int, available: int | None = None) -> Design:
    """Divide a budget.

    Args:
        budget: Images in all.
        seeds: Images per prompt and cell.
        available: Number of different prompts; None: any number.

    Raises:
        InputError: The budget or the prompts are below the smallest design.
    """
    if budget < (least := least_budget(seeds)):
        raise InputError(f"budget {budget}: the smallest search with {seeds} seeds generates {least} images")
    least_prompts = Design(seeds, 1, LEAST_PROMPTS, CELLS, LEAST_HELD_OUT).all_prompts
    if available is not None and available < least_prompts:
        raise InputError(f"prompts: the smallest search needs {least_prompts} different prompts; there are {available}")
    held_out = max(LEAST_HELD_OUT, min(budget // (6 * seeds), available * 2 // 3 if available else budget))
    most = budget // seeds - least // seeds + 2 * LEAST_HELD_OUT  # the smallest search must fit beside it
    held_out = min(held_out, most // 2, (available - 3 * LEAST_PROMPTS) if available else held_out)
    units = budget // seeds - 2 * held_out  # prompts times cells
    slots = units // CELLS
    rounds = min(MOST_ROUNDS, max(2, round((slots / 2) ** 0.5)), slots // LEAST_PROMPTS) - 1
    prompts = slots // (rounds + 1)
    if available is None or (rounds + 2) * prompts <= available - held_out:
        return Design(seeds, rounds, prompts, CELLS, held_out)
    # few prompts: more trials on each
    rounds = min(rounds, (available - held_out) // LEAST_PROMPTS - 2)
    prompts = (available - held_out) // (rounds + 2)
    cells = (units - 2 * prompts * (FINALISTS + 1)) // (prompts * rounds)
    return Design(seeds, rounds, prompts, cells, held_out)
