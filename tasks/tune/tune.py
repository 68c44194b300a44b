"""Tunes a model: checks a request, searches, and leaves the path and the verdict in the lake."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from skewbench.storage.lease import Lease
from skewbench.tasks.generation_checks import calls_of
from skewbench.tasks.jobs import Execute
from skewbench.tasks.models import family_of_source, resolve_model
from skewbench.tasks.run import Run
from skewbench.tasks.tune.measure import Finish, LakeEvaluation, Working
from skewbench.tasks.tune.request import Request, check_support
from skewbench.tasks.tune.rows import rows_of
from skewbench.tasks.tune.search import Result, Search, Step
from skewbench.tasks.tune.words import result_lines, step_line, usage


@dataclass(frozen=True)
class Tuned:
    """A finished search.

    Args:
        result: Its outcome.
        run_id: The run of the held-out measurement, whose report has the path.
        usage: Lines that use the chosen setting: of Python, and of YAML.
    """

    result: Result
    run_id: str
    usage: tuple[str, str]


def tune(request: Request, lake: str, working: Working, finish: Finish, report: Callable[[str], None]) -> Tuned:
    """Search for a setting. If the search was interrupted, it resumes: rounds that are in the lake are only read.

    Args:
        request: The search.
        lake: Folder or URL of the lake.
        working: Where jobs are executed.
        finish: Analyses the held-out run and writes its report.
        report: Called with each line of the path, of the result and of its use.

    Returns:
        The outcome.

    Raises:
        InputError: The model does not support a knob.
        RunError: A round cannot be measured.
    """
    source = resolve_model(request.form.model, download=True)
    check_support(request, source)
    evaluate = LakeEvaluation(request, lake, working, {})
    objective = request.objective

    def observe(step: Step) -> None:
        report(step_line(step, objective))

    search = Search(objective, request.space, request.design, request.prompts, request.form.seed, evaluate, observe)
    result = search.run()
    run_id = evaluate.add_path(result.path[-1].round, rows_of(result, objective, evaluate.runs), finish)
    generation = request.form.generation
    calls = calls_of(generation, source)
    lines = usage(result.chosen.knob, family_of_source(source), generation.guidance, calls)
    for line in (*result_lines(result, objective), *lines):
        report(line)
    return Tuned(result, run_id, lines)


@contextmanager
def working_here(run: Run, lease: Lease) -> Iterator[Execute]:
    """Execute jobs in this process (`Working`).

    Args:
        run: The run of a round.
        lease: This driver's lease of it.
    """
    from skewbench.tasks.local import LocalWorker

    yield LocalWorker(run.needs, lease, lambda _outcome: None)
