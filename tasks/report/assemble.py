"""A run's report: opens the lake, asks the named queries, and writes one HTML file."""

from contextlib import closing

from skewbench import sql
from skewbench.storage.manifest import find_run, report_path
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.media import medium_of
from skewbench.tasks.report.answers import Answers, answered
from skewbench.tasks.report.explorer import explore
from skewbench.tasks.report.findings import find
from skewbench.tasks.report.gallery import choose_images
from skewbench.tasks.report.head import read_head, run_tables
from skewbench.tasks.report.page import Page, render
from skewbench.tasks.report.sections.against import Comparison, against_section
from skewbench.tasks.report.sections.claims import claims_section
from skewbench.tasks.report.sections.curve import curve_section
from skewbench.tasks.report.sections.of_query import with_queries
from skewbench.tasks.report.sections.regimes import regime_section
from skewbench.tasks.report.sections.stability import stability_section
from skewbench.tasks.report.sections.worst import worst_section
from skewbench.tasks.report.view import Section
from skewbench.vocabulary.errors import InputError


def report_run(store: Store, run_id: str, against: str | None = None) -> str:
    """Write the report of a run, also of one that is not finished.

    Args:
        store: The lake.
        run_id: The run's id, or a unique beginning of it.
        against: Another run's id, or a unique beginning: what changed since is shown.

    Returns:
        The report's path or URL.

    Raises:
        InputError: There is no such run, or a run is compared with itself.
        RunError: Parts that the manifests name are broken. The message names the first one.
    """
    with answered(store, run_id) as answers:
        return write_report(store, answers, against)


def write_report(store: Store, answers: Answers, against: str | None = None) -> str:
    """Write the report of a run into its lake, from answers that were computed before.

    It replaces an older report at `_reports/<run_id>.html` atomically.

    Args:
        store: The lake.
        answers: Answers of the run's queries.
        against: Id of a run to compare with, or its beginning; None: no comparison.

    Returns:
        Absolute path or URL of the report.
    """
    run = answers.run
    comparison = _compare(store, run, find_run(store, against)) if against else None
    store.put(report_path(run.run_id), render(_page(store, answers, comparison)).encode())
    return store.address(report_path(run.run_id))


def run_sections(answers: Answers, comparison: Comparison | None = None) -> tuple[Section, ...]:
    """Make the sections of a run's report, with their figures.

    Args:
        answers: Answers of the run's queries.
        comparison: Changes since another run; None: no comparison.
    """
    return with_queries(
        (
            *((against_section(answers, comparison),) if comparison else ()),
            curve_section(answers),
            regime_section(answers),
            worst_section(answers),
            stability_section(answers),
            claims_section(answers),
        ),
        answers,
    )


def _page(store: Store, answers: Answers, comparison: Comparison | None) -> Page:
    groups = choose_images(answers, store.lake)
    return Page(
        head=read_head(answers),
        findings=find(answers),
        sections=run_sections(answers, comparison),
        explorer=explore(answers, groups),
        groups=tuple(groups),
        tables=tuple(run_tables(answers)),
        cells=tuple(answers.cells),
        scored_by=answers.labels.of(answers.fidelity) if answers.fidelity else "",
        medium=medium_of(answers.run),
    )


def _compare(store: Store, run: Manifest, other: Manifest) -> Comparison:
    if other.run_id == run.run_id:
        raise InputError(f"run {run.run_id!r} cannot be compared with itself; name another run")
    with (
        reporting_broken_parts(store, run, other),
        closing(sql.connect(store.lake, [run.run_id, other.run_id], include_running=True)) as lake,
    ):
        return Comparison(other, sql.query(lake, "run_changes", run=run.run_id, against=other.run_id))
