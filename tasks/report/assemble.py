"""A run's report: opens the lake, asks the named queries, and writes one HTML file."""

from contextlib import closing

from skewbench import sql
from skewbench.storage.manifest import find_run, report_path
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.media import medium_of
from skewbench.tasks.report.answers import ask
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
from skewbench.vocabulary.errors import InputError


def report_run(store: Store, run_id: str, against: str | None = None) -> str:
    """Write the report of a run, also of one that is not finished, into the lake, and return its path or URL.

    It lies at `_reports/<run_id>.html`; one that is there is replaced, atomically.

    Args:
        run_id: the run's id, or a unique beginning of it.
        against: another run's id, or a unique beginning: what changed since is shown.

    Raises:
        InputError: no such run, or a run against itself.
        RunError: parts that the manifests name are broken; the first one is named.
    """
    run = find_run(store, run_id)
    other = find_run(store, against) if against else None
    with reporting_broken_parts(store, *((run, other) if other else (run,))):
        page = render(_page(store, run, _compare(store, run, other) if other else None))
    store.put(report_path(run.run_id), page.encode())
    return store.address(report_path(run.run_id))


def _page(store: Store, run: Manifest, comparison: Comparison | None) -> Page:
    with closing(sql.connect(store.lake, run.run_id, include_running=True)) as lake:
        answers = ask(lake, run)
        groups = choose_images(answers, store.lake)
        return Page(
            head=read_head(answers),
            findings=find(answers),
            sections=with_queries(
                (
                    *((against_section(answers, comparison),) if comparison else ()),
                    curve_section(answers),
                    regime_section(answers),
                    worst_section(answers),
                    stability_section(answers),
                    claims_section(answers),
                ),
                answers,
            ),
            explorer=explore(answers, groups),
            groups=tuple(groups),
            tables=tuple(run_tables(answers)),
            cells=tuple(answers.cells),
            scored_by=answers.labels.of(answers.fidelity) if answers.fidelity else "",
            medium=medium_of(run),
        )


def _compare(store: Store, run: Manifest, other: Manifest) -> Comparison:
    if other.run_id == run.run_id:
        raise InputError(f"run {run.run_id!r} is the same: a run against itself says nothing")
    with closing(sql.connect(store.lake, [run.run_id, other.run_id], include_running=True)) as lake:
        return Comparison(other, sql.query(lake, "run_changes", run=run.run_id, against=other.run_id))
