"""The report shows votes if there are some, and has no section for them otherwise."""

from pathlib import Path

from skewbench.tasks.rating import commit_votes
from skewbench.tasks.report import report_run
from tests.lakes import Lake
from tests.tasks.rating.toy import session, toy


def test_sections_of_votes(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path, Lake(prompts=4))
    sections = ('id="ratings"', 'id="metric_agreement"')
    before = Path(report_run(store, manifest.run_id)).read_text()
    assert not any(section in before for section in sections)
    going = session(store, manifest)
    for position in range(1, 11):
        going.vote(position, ("left", "right")[position % 2])  # type: ignore[arg-type]
    commit_votes(store, manifest.run_id, print)
    after = Path(report_run(store, manifest.run_id)).read_text()
    assert all(section in after for section in sections)
    assert "What do people prefer?" in after
