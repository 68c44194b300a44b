"""The campaign, in short."""

from pathlib import Path

import pytest

from tests.faults.__main__ import table
from tests.faults.campaign import Campaign
from tests.faults.processes import prefect_server


@pytest.mark.timeout(1800)
def test_two_rounds(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as prefect:
        campaign = Campaign(tmp_path, "null", seed=6, prefect=prefect)  # a seed that strikes as soon as it can
        played = [campaign.play(number, fault) for number, fault in enumerate(("kill worker", "kill compaction"))]
    assert [(one.differences.keys() - {"rounding"}, one.error) for one in played] == [(set(), "")] * 2
    assert played[0].moment == "after 0 receipts"
    assert campaign.rounds_done() == played
    assert "2 rounds, 0 of them with a difference" in table(played)
