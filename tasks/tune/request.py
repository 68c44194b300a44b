"""A search that was checked: its objective, space, design and prompts. Loads no weights and writes nothing."""

from dataclasses import dataclass

import numpy as np

from skewbench.eval.scorers import declaration
from skewbench.stability.knobs import Vanilla
from skewbench.tasks.experiment import Cell, Experiment, MeasureSpec, PromptSpec
from skewbench.tasks.generation_checks import calls_of
from skewbench.tasks.identity import digest
from skewbench.tasks.knob_checks import check_knobs
from skewbench.tasks.model_blocks import blocks_of
from skewbench.tasks.models import ModelSource
from skewbench.tasks.prompts import Prompt, load_prompts
from skewbench.tasks.tune.design import Design, divide
from skewbench.tasks.tune.form import Tuning
from skewbench.tasks.tune.objective import Objective, parse_objective
from skewbench.tasks.tune.search import Round
from skewbench.tasks.tune.space import Space, cell_of, example_of, space_of
from skewbench.vocabulary.errors import InputError

BASELINE = Cell(name="baseline", knob=Vanilla())


@dataclass(frozen=True)
class Request:
    """A search, with everything that follows from its form.

    Args:
        form: The fields of the search.
        objective: Its objective.
        space: The search space.
        design: The division of the budget.
        source: The source of the prompts.
        prompts: Those of the search, in random order; the first are held out.
    """

    form: Tuning
    objective: Objective
    space: Space
    design: Design
    source: PromptSpec
    prompts: tuple[Prompt, ...]

    @property
    def name(self) -> str:
        """The first part of its runs' names, from all that decides its path."""
        decides = self.form.model_dump(mode="json", exclude={"workers", "prompts", "knobs"})
        return f"tune-{digest(decides, list(self.space), [prompt.id for prompt in self.prompts])[:8]}"

    def experiment(self, of: Round) -> Experiment:
        """Build the experiment of a round: a cell for the baseline, and one for each trial.

        Args:
            of: The round.
        """
        what = "held-out measurement" if of.phase == "held-out" else f"round {of.number + 1}"
        return Experiment(
            name=f"{self.name}-{'held-out' if of.phase == 'held-out' else of.number + 1}",
            description=f"{what} of a search: {self.objective}",
            model=self.form.model,
            prompts=self.source.model_copy(update={"only": tuple(prompt.id for prompt in of.prompts)}),
            seeds=self.form.seeds,
            generation=self.form.generation,
            cells=(BASELINE, *(cell_of(trial.name, trial.knob) for trial in of.trials)),
            measure=MeasureSpec(every=min(4, self.form.generation.steps), detail="mean", columns=64),
            metrics=self.objective.scorers,
            max_unusable=1.0,  # a setting that breaks images is a result: its failed images count as the worst
            workers=self.form.workers,
        )


def check_request(form: Tuning) -> Request:
    """Check a search before anything is loaded.

    Args:
        form: The fields of the search.

    Raises:
        InputError: The objective, the knobs, the prompts or the budget are not possible.
    """
    objective = parse_objective(form.objective)
    space = space_of(form.knobs, calls_of(form.generation, None))
    of_sets = [name for name in objective.scorers if declaration(name).unit == "prompt"]
    if form.seeds < 2 and of_sets:
        raise InputError(f"seeds {form.seeds}: {of_sets[0]} compares the images of a prompt, so it needs 2 or more")
    source = form.source
    if source.source in ("scenes", "sounds") and source.count is None:
        source = source.model_copy(update={"count": divide(form.budget, form.seeds).all_prompts})
    available = load_prompts(source)
    design = divide(form.budget, form.seeds, len(available))
    order = np.random.default_rng(form.seed).permutation(len(available))[: design.all_prompts]
    return Request(form, objective, space, design, source, tuple(available[at] for at in order))


def check_support(request: Request, source: ModelSource) -> None:
    """Raise `InputError` for a knob that the model does not support.

    Args:
        request: The search.
        source: Its model.
    """
    blocks = blocks_of(source)
    for name in request.space:
        example = cell_of(name, example_of(name))
        try:
            experiment = Experiment(
                name=request.name, model=request.form.model, generation=request.form.generation, cells=(example,)
            )
            check_knobs(experiment, source, blocks)
        except InputError as error:
            raise InputError(f"knobs {name!r}: {request.form.model.id} does not support it: {error}") from None
