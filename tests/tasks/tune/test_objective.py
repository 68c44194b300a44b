"""The grammar of objectives, and what is refused before anything is loaded."""

import pytest

from skewbench.tasks.tune.objective import Bound, parse_objective
from skewbench.vocabulary.errors import InputError


@pytest.mark.parametrize(
    ("text", "side", "bounds"),
    [
        ("binding", 1, ()),
        ("leak", -1, ()),
        (
            "binding, subject to msssim_diversity >= 0.95 of baseline",
            1,
            (Bound("msssim_diversity", 1, 0.95, 0.0),),
        ),
        (
            "binding subject to leak <= 0.2 and sharpness >= baseline - 0.01, contrast <= baseline",
            1,
            (Bound("leak", -1, 0.0, 0.2), Bound("sharpness", 1, 1.0, -0.01), Bound("contrast", -1, 1.0, 0.0)),
        ),
    ],
)
def test_an_objective_is_read(text: str, side: int, bounds: tuple[Bound, ...]) -> None:
    found = parse_objective(text)
    assert (found.side, found.bounds) == (side, bounds)
    assert parse_objective(str(found)) == found


def test_the_scorers_of_its_metrics_are_known() -> None:
    found = parse_objective("binding, subject to leak <= 0.2 and msssim_diversity >= 0.9 of baseline")
    assert found.scorers == ("binding", "msssim_diversity")
    assert found.metrics == ("binding", "leak", "msssim_diversity")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bindng", "'bindng': no such metric; did you mean 'binding'"),
        ("sharpness", "this metric has no better side"),
        ("fid", "one value per cell"),
        ("binding, subject to fid <= 3", "one value per cell"),
        ("binding and leak", "not of the form 'METRIC, subject to"),
        ("binding, subject to leak < 0.2", "the bound 'leak < 0.2' is not of the form"),
        ("binding, subject to leak <= 0 of baseline", "needs a share of the baseline above 0"),
        ("binding, subject to ", "the bound '' is not of the form"),
    ],
)
def test_another_text_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_objective(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_metric_without_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.eval.scoring.declaration.missing", lambda needs: "get them" if needs else None)
    with pytest.raises(InputError, match="objective 'clip_score': get them"):
        parse_objective("clip_score")
