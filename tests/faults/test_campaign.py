"""The campaign, in short."""

from pathlib import Path

import pytest

from tests.faults.__main__ import table
from tests.faults.campaign import Campaign
from tests.faults.processes import prefect_server


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_round(tmp_path: Path) -> None:
    with prefect_server(tmp_path) as prefect:
        campaign = Campaign(tmp_path, "null", seed=6, prefect=prefect)  # a seed that strikes as soon as it can
        played = campaign.play(0, "kill worker")
    assert (played.differences.keys() - {"rounding"}, played.error) == (set(), "")
    assert played.moment == "after 0 receipts"
    assert campaign.rounds_done() == [played]
    assert "1 rounds, 0 of them with a difference" in table([played])
