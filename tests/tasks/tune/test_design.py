"""How a budget is divided."""

import pytest

from skewbench.tasks.tune.design import CELLS, LEAST_HELD_OUT, LEAST_PROMPTS, divide, least_budget
from skewbench.vocabulary.errors import InputError

BUDGETS = [*range(0, 400, 3), 1000, 3000, 100_000]


@pytest.mark.parametrize("seeds", [1, 2, 4])
@pytest.mark.parametrize("available", [None, 22, 23, 40, 210])
def test_a_design_keeps_to_its_budget_and_prompts(seeds: int, available: int | None) -> None:
    for budget in (least_budget(seeds) + more for more in BUDGETS):
        design = divide(budget, seeds, available)
        assert design.images <= budget
        assert available is None or design.all_prompts <= available
        assert design.held_out >= LEAST_HELD_OUT
        assert design.prompts >= LEAST_PROMPTS
        assert (design.rounds >= 1, design.cells >= CELLS) == (True, True)


def test_a_budget_is_used() -> None:
    assert divide(3000, 4).images > 2800


@pytest.mark.parametrize("budget", [400, 1200, 3000, 12_000])
def test_as_many_prompts_as_a_design_needs_leave_it_as_it_is(budget: int) -> None:
    assert divide(budget, 4, divide(budget, 4).all_prompts) == divide(budget, 4)


def test_too_small_a_budget_is_refused() -> None:
    assert divide(least_budget(4), 4).images == least_budget(4)
    with pytest.raises(
        InputError, match=f"budget {least_budget(4) - 1}: the smallest search with 4 seeds generates 336"
    ):
        divide(least_budget(4) - 1, 4)
    with pytest.raises(InputError, match="the smallest search needs 22 different prompts; there are 21"):
        divide(3000, 4, 21)
