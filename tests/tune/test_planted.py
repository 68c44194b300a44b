"""The short form of `python -m tests.tune`, and what a search promises, on planted problems."""

from collections import Counter
from typing import Any

import pytest

from skewbench.tasks.prompts import Prompt
from skewbench.tasks.tune.design import Design
from skewbench.tasks.tune.objective import parse_objective
from skewbench.tasks.tune.search import Round, Search
from skewbench.tasks.tune.space import space_of
from tests.tune import planted
from tests.tune.__main__ import tried

SMALL = Design(seeds=4, rounds=3, prompts=4, cells=6, held_out=10)


def searched(rounds: list[Round], stop: int = 99) -> Search:
    """A small search that notes its rounds, and is stopped before the one of that number."""
    measured = planted.evaluation(planted.INSIDE, 3)

    def evaluate(of: Round) -> Any:
        if of.number == stop:
            raise KeyboardInterrupt
        rounds.append(of)
        return measured(of)

    prompts = [Prompt(f"p{number}", "") for number in range(SMALL.all_prompts)]
    space = space_of(("skew", "temperature"))
    return Search(parse_objective(planted.OBJECTIVE), space, SMALL, prompts, 3, evaluate)


def test_a_few_searches_find_what_is_there_and_nothing_else() -> None:
    row, _ = tried("inside", planted.INSIDE, 3)
    assert int(row[2]) >= 2
    row, _ = tried("nothing", planted.NOTHING, 3)
    assert int(row[4]) >= 2


def test_no_prompt_is_used_twice_and_the_numbers_are_those_of_the_design() -> None:
    rounds: list[Round] = []
    result = searched(rounds).run()
    used = Counter(prompt.id for of in rounds for prompt in of.prompts)
    assert set(used.values()) == {1}
    assert len(used) == SMALL.all_prompts
    images = SMALL.seeds * sum((1 + len(of.trials)) * len(of.prompts) for of in rounds)
    assert images == SMALL.images
    assert [of.phase for of in rounds] == ["explore"] * 3 + ["final", "held-out"]
    assert [len(of.trials) for of in rounds] == [5, 5, 5, 3, 1]
    assert rounds[-1].trials == (result.chosen,)
    knobs = {trial.name: trial.knob for of in rounds for trial in of.trials}
    assert len(set(knobs.values())) == len(knobs) == 5 + 3 + 3
    assert {knob.kind for knob in knobs.values()} == {"skew", "temperature"}


def test_a_stopped_search_takes_the_same_path_again() -> None:
    whole: list[Round] = []
    expected = searched(whole).run()
    first: list[Round] = []
    with pytest.raises(KeyboardInterrupt):
        searched(first, stop=2).run()
    again: list[Round] = []
    assert searched(again).run() == expected
    assert first == whole[:2]
    assert again == whole
