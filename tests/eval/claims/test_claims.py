"""The published claims as data, and the verdicts on them."""

import pytest

from skewbench.eval.claims import judge, published_claims
from skewbench.eval.claims.published import MEASURES, STAGES


@pytest.mark.parametrize(
    ("sign", "low", "high", "n", "prompts", "margin", "verdict"),
    [
        (1, 0.1, 0.3, 50, 50, None, "confirmed"),
        (-1, 0.1, 0.3, 50, 50, None, "contradicted"),
        (-1, -0.3, -0.1, 50, 50, None, "confirmed"),
        (1, -0.1, 0.3, 50, 50, None, "not enough data"),
        (1, 0.1, 0.3, 9, 50, None, "not enough data"),
        (1, 0.1, 0.3, 50, 9, None, "not enough data"),
        (1, None, None, 50, 50, None, "not enough data"),
        (1, 0.0, 0.3, 50, 50, None, "not enough data"),
        (1, -0.1, 0.3, 50, 50, 0.2, "confirmed"),  # no harm beyond the margin
        (1, -0.1, -0.01, 50, 50, 0.2, "confirmed"),
        (1, -0.3, -0.01, 50, 50, 0.2, "contradicted"),
        (1, -0.3, 0.3, 50, 50, 0.2, "not enough data"),
    ],
)
def test_verdicts(
    sign: int, low: float | None, high: float | None, n: int, prompts: int, margin: float | None, verdict: str
) -> None:
    assert judge(sign, low, high, n, prompts, margin) == verdict


def test_signs_of_table_1_are_claims_where_they_were_published_as_notable() -> None:
    claims = [claim for claim in published_claims() if claim.kind == "correlation"]
    assert all(abs(claim.published or 0) >= 0.1 for claim in claims)
    assert len(claims) == 12 + 11 + 4 + 8
    at = {(claim.metric, claim.key["stage"], claim.key["measure"]): claim for claim in claims}
    assert {key[1] for key in at} == set(STAGES)
    assert {key[2] for key in at} == set(MEASURES)
    assert (at["aesthetic", "all", "alignment"].published, at["aesthetic", "all", "alignment"].sign) == (0.296, 1)
    assert at["lpips_diversity", "mid", "neg_energy"].published == -0.336
    assert ("clip_score", "all", "alignment") not in at


def test_every_claim_has_what_finds_it() -> None:
    claims = published_claims()
    assert {claim.source for claim in claims} == {"paper", "secondary"}
    assert {claim.group for claim in claims} == {
        *("Table 1", "Order by stage", "Static knob", "Worst 20%", "Median", "Collapse and rescue"),
        *("Against temperature", "Secondary source"),
    }
    collapse = next(claim for claim in claims if claim.says.endswith("collapses") and claim.metric == "image_reward")
    assert (collapse.published, collapse.sign, collapse.key["alpha"]) == (-1.973, -1, 1.2)
    rescue = next(claim for claim in claims if "rescues" in claim.says and claim.metric == "image_reward")
    assert (rescue.published, rescue.key["adaptive"]) == (2.054, True)
    assert all(claim.says and claim.sign in (1, -1) for claim in claims)
    assert len({(claim.says, claim.metric, claim.kind) for claim in claims}) == len(claims)
