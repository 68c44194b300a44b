"""Each chart compiles to Vega without a complaint, holds its data, and keeps a cell's colour."""

import json
import math
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert

from skewbench.eval.figures import Colours, change_by_regime, config, draw, extent, symmetric
from skewbench.sql.queries.correlations.figure import correlations, correlations_narrow
from skewbench.sql.queries.operating_curve.figure import Axis, operating_curve
from skewbench.sql.queries.stability_profile.figure import profile
from skewbench.sql.queries.stability_profile.heatmap import blocks_by_steps

CELLS = ["baseline", "a1.05-b3", "a1.20-b5"]


def correlation_frame() -> pl.DataFrame:
    stages, measures = ["all", "down", "mid", "up"], ["symmetry", "neg_energy", "instability", "alignment"]
    return pl.DataFrame(
        [
            {"metric": metric, "stage": stage, "measure": measure, "rho": 0.18, "low": low, "high": 0.3, "n": 128}
            for metric, low in (("binding", 0.1), ("msssim_diversity", -0.1))
            for stage in stages
            for measure in measures
        ]
    )


def curve_frame() -> pl.DataFrame:
    sides = ("diversity", "fidelity")
    values = {
        f"{side}{end}": [0.4 + shift] * 3 for side in sides for end, shift in (("", 0), ("_low", -0.1), ("_high", 0.1))
    }
    return pl.DataFrame(
        {
            "cell": CELLS,
            "settings": CELLS,
            **values,
            **{f"{side}_n": [8] * 3 for side in sides},
            "on_front": [True, True, False],
        }
    )


def regime_frame() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"cell": cell, "regime": regime, "change": 0.1, "low": 0.0, "high": 0.2, "n": 12}
            for cell in CELLS[1:]
            for regime in ("unstable", "stable")
        ]
    )


def grid(**more: Any) -> pl.DataFrame:
    return pl.DataFrame(
        [{"block": b, "step": s, "value": b - s / 3, "n": 9, **more} for b in (0, 2, 4) for s in range(4)]
    )


def lines() -> pl.DataFrame:
    return pl.DataFrame([{"cell": c, "block": b, "value": b / 2, "n": 9} for c in CELLS for b in (0, 2, 4)])


STAGES = pl.DataFrame({"stage": ["down", "mid", "up"], "first": [0, 2, 4], "last": [0, 2, 4]})
CHARTS: dict[str, alt.TopLevelMixin] = {
    "correlations": correlations(correlation_frame()),
    "correlations_narrow": correlations_narrow(correlation_frame()),
    "operating_curve": operating_curve(curve_frame(), Axis("diversity"), Axis("FID", False), CELLS),
    "change_by_regime": change_by_regime(regime_frame(), "binding", CELLS),
    "blocks_by_steps": blocks_by_steps(grid(), "Align", [-1.0, 4.0]),
    "blocks_by_steps_change": blocks_by_steps(grid(), "Align", [-4.0, 4.0], change=True),
    "profile": profile(lines(), "block", "block", "Align", CELLS, STAGES),
}


@pytest.mark.parametrize(("steps", "marked"), [(3, [0, 1, 2]), (12, [*range(12)]), (30, [*range(0, 30, 3)])])
def test_steps_are_marked_by_whole_numbers(steps: int, marked: list[int]) -> None:
    frame = pl.DataFrame({"cell": "baseline", "step": list(range(steps)), "value": 0.5, "n": 4})
    spec = profile(frame, "step", "step", "Align", CELLS).to_dict()
    assert spec["layer"][0]["encoding"]["x"]["axis"]["values"] == marked


@pytest.mark.parametrize("name", CHARTS)
def test_charts_compile_and_draw(name: str) -> None:
    spec = CHARTS[name].to_dict() | {"config": config()}
    svg = vl_convert.vegalite_to_svg(json.dumps(spec), vl_version="6.4")
    assert svg.count("<path") + svg.count("<text") > 8
    assert "NaN" not in svg
    assert "undefined" not in svg


def texts(chart: alt.TopLevelMixin) -> str:
    return vl_convert.vegalite_to_svg(json.dumps(chart.to_dict() | {"config": config()}), vl_version="6.4")


def test_a_heatmap_prints_rho_as_the_paper_does_and_bold_where_it_is_clear() -> None:
    drawn = texts(CHARTS["correlations"])
    assert drawn.count(">+.18<") == 32
    bold = [part for part in drawn.split("<text")[1:] if "+.18" in part and 'font-weight="700"' in part]
    assert len(bold) == 16  # of binding alone: the other interval contains 0


def test_a_heatmap_orders_stages_and_measures_as_the_paper_does() -> None:
    drawn = texts(CHARTS["correlations_narrow"])
    places = [
        drawn.index(f">{line}<") for line in ("down −E", "down r", "down Align", "mid −E", "up −E", "all −E", "all η")
    ]
    assert places == sorted(places)


def test_many_metrics_are_stage_by_stage_on_a_phone() -> None:
    few = correlation_frame().filter(pl.col("metric") == "binding")
    many = pl.concat([few.with_columns(metric=pl.lit(f"metric {n}"), rho=pl.lit(n / 10)) for n in range(6)])
    chart = correlations_narrow(many)
    panels = chart.to_dict()["vconcat"]
    assert [panel["title"]["text"] for panel in panels] == ["down", "mid", "up", "all"]
    reach = {tuple(panel["layer"][0]["encoding"]["color"]["scale"]["domain"]) for panel in panels}
    assert reach == {(-0.5, 0.5)}  # of all stages, so that a colour is one value
    assert texts(chart).count(">+.40<") == 16
    assert "vconcat" not in correlations_narrow(few).to_dict()


def test_rho_that_does_not_exist_is_a_dash() -> None:
    frame = correlation_frame().with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("rho", "low", "high"))
    drawn = texts(correlations(frame))
    assert drawn.count(">–<") == 32


def test_a_cell_has_one_colour_in_every_figure() -> None:
    colour = Colours().cells[2]
    for name in ("operating_curve", "change_by_regime", "profile"):
        assert colour in texts(CHARTS[name]), name  # the third cell's, though not all figures show the first


def test_names_of_points_do_not_cover_each_other() -> None:
    same = curve_frame()  # three cells at one point: there is room for their names around it
    assert drawn_names(same) == set(CELLS)
    many = pl.concat([same.with_columns(pl.col("cell") + str(copy)) for copy in range(4)])
    assert 3 <= len(drawn_names(many)) <= 4


def drawn_names(frame: pl.DataFrame) -> set[str]:
    spec = operating_curve(frame, Axis("diversity"), Axis("fidelity"), frame["cell"].to_list()).to_dict()
    names = [layer["data"]["values"] for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    return {row["cell"] for values in names for row in values}


def test_values_that_are_not_finite_leave_a_gap() -> None:
    frame = lines().with_columns(pl.when(pl.col("block") == 2).then(math.nan).otherwise("value").alias("value"))
    text = json.dumps(profile(frame, "block", "block", "r", CELLS).to_dict(), allow_nan=False)
    assert '"value": null' in text


def test_domains() -> None:
    assert extent(pl.Series([3, 1, 2])) == [1.0, 3.0]
    assert symmetric(pl.Series([0.1, -0.4, None])) == [-0.4, 0.4]
    assert symmetric(pl.Series([0.1]), least=0.3) == [-0.3, 0.3]
    assert symmetric(pl.Series([], dtype=pl.Float64), least=0.3) == [-0.3, 0.3]


def test_an_axis_says_where_better_is() -> None:
    assert Axis("FID", higher_is_better=False).title.endswith("(better ←)")
    assert Axis("Binding").title.endswith("(better →)")


def test_correlations_call_metrics_as_they_are_told_to() -> None:
    labels = {"binding": "Binding", "msssim_diversity": "MS-SSIM"}
    drawn = texts(correlations(correlation_frame(), labels))
    assert all(f">{label}<" in drawn for label in labels.values())
    assert ">msssim_diversity<" in texts(correlations(correlation_frame()))
    narrow = correlations_narrow(correlation_frame(), labels)
    assert "MS-SSIM" in json.dumps(narrow.to_dict())


def test_colours_are_the_page_s_own() -> None:
    made = config(Colours(ink="var(--ink)", cells=("var(--a)",)), legends=False)
    assert made["axis"]["labelColor"] == "var(--ink)"
    assert made["range"]["category"] == ["var(--a)"]
    assert made["legend"]["disable"]


def test_a_chart_becomes_a_file() -> None:
    spec = CHARTS["profile"].to_dict()
    assert draw(spec).startswith(b"\x89PNG")
    assert b"<svg" in draw(spec, "svg")
