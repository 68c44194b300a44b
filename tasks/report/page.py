"""The page: one HTML file that needs no network and runs only its own scripts."""

import base64
import json
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import metadata
from importlib.resources import files
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from skewbench.eval.figures import Colours, config
from skewbench.storage import user_cache
from skewbench.tasks.identity import digest
from skewbench.tasks.media import MEDIA
from skewbench.tasks.report.explorer import Explorer
from skewbench.tasks.report.findings import Findings
from skewbench.tasks.report.gallery import Group
from skewbench.tasks.report.glossary import glossary
from skewbench.tasks.report.head import Head
from skewbench.tasks.report.view import Section, Table
from skewbench.vocabulary.metrics import Medium

LIGHT = Colours()
DARK = Colours(
    ink="#e4e7ea",
    faint="#9aa4ae",
    line="#343b43",
    paper="#15181c",
    cells=("#a4adb7", "#5fb0e6", "#f0894a", "#3cc09a", "#e092c3", "#dcae4b", "#a9d2f3", "#c5a283"),
    diverging=(
        *("#b0622c", "#8b5029", "#683f27", "#463026", "#23282e"),
        *("#263a50", "#2b4d72", "#316295", "#3a77b5"),
    ),
    sequential=(
        *("#1c2427", "#1d343a", "#1e464c", "#21595e", "#286e70"),
        *("#358482", "#4a9b94", "#68b2a6", "#8ecab9"),
    ),
)
"""Chosen for dark ground: text stays readable on each colour of the heatmap."""


@dataclass(frozen=True)
class Page:
    """The contents of the template."""

    head: Head
    findings: Findings
    sections: tuple[Section, ...]
    explorer: Explorer | None
    groups: tuple[Group, ...]
    tables: tuple[tuple[str, Table], ...]  # with what was run: heading, table
    cells: tuple[str, ...]
    scored_by: str  # the metric shown with the samples; empty if there is none
    medium: Medium = "image"

    @property
    def noun(self) -> str:
        """One sample."""
        return MEDIA[self.medium].noun

    @property
    def gallery(self) -> str:
        """Heading of the samples."""
        return {"image": "Images", "audio": "Audio", "video": "Videos"}[self.medium]


def render(page: Page) -> str:
    """Render a page as one HTML file without external resources.

    Args:
        page: The page.
    """
    specs: dict[str, dict[str, Any]] = {}
    names: dict[int, str] = {}
    for section in page.sections:
        for figure in section.figures:
            for panel in figure.panels:
                for chart in panel.charts:
                    names[id(chart)] = f"chart-{len(specs)}"
                    specs[names[id(chart)]] = chart.spec
    scripts = [_library(), _text("page.js")] if specs else []
    scripts += [_text("explorer.js")] if page.explorer else []
    return (
        _environment()
        .get_template("template.html")
        .render(
            page=page,
            chart_id=lambda chart: names[id(chart)],
            specs=_json(specs),
            explorer_data=_json(page.explorer.content if page.explorer else None),
            chart_config=_json(config(_variables(), legends=False)),
            scripts=[Markup(script) for script in scripts],  # noqa: S704  (our own, and the chart library's)
            policy=_policy(scripts),
            style=Markup(_text("style.css")),  # noqa: S704
            light=_declarations(LIGHT),
            dark=_declarations(DARK),
            shapes=_SHAPES,
            glossary=glossary(),
        )
    )


@cache
def _library() -> str:
    """Vega, Vega-Lite and vega-embed, of the version that altair writes for. Bundling takes seconds, so it is kept."""
    version = alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]
    snippet = "window.vegaEmbed = vegaEmbed;"
    kept = f"vega/{digest(metadata.version('vl-convert-python'), version, snippet)[:32]}.js"
    bundle = user_cache.read(kept)
    if bundle is None:
        bundle = vl_convert.javascript_bundle(snippet, vl_version=version)
        user_cache.write(kept, bundle)
    return "(() => {" + bundle.replace("</script", "<\\/script") + "})();"


def _policy(scripts: list[str]) -> str:
    """Content-Security-Policy: nothing is loaded, and no script runs but these, by their digests."""
    digests = [f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    allowed = " ".join(digests) or "'none'"
    media = "img-src data:; media-src data:; style-src 'unsafe-inline'"
    return f"default-src 'none'; {media}; base-uri 'none'; form-action 'none'; script-src {allowed}"


def _json(value: Any) -> Markup:
    """Encode JSON for a script element: it has no `<` that could end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _variables() -> Colours:
    """Return the charts' colours as CSS variables of the page, which follow the reader's colour scheme."""
    return Colours(
        ink="var(--ink)",
        faint="var(--faint)",
        line="var(--line)",
        paper="var(--paper)",
        **{
            name: tuple(f"var(--{name}-{index})" for index in range(len(getattr(LIGHT, name))))
            for name in ("cells", "diverging", "sequential")
        },
    )


def _declarations(colours: Colours) -> Markup:
    lines = [f"--{name}: {getattr(colours, name)};" for name in ("ink", "faint", "line", "paper")]
    for name in ("cells", "diverging", "sequential"):
        lines += [f"--{name}-{index}: {colour};" for index, colour in enumerate(getattr(colours, name))]
    return Markup(" ".join(lines))  # noqa: S704


def _text(name: str) -> str:
    return (files("skewbench.tasks.report") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    return environment


def _coded(text: str) -> Markup:
    """Return text with the parts between backticks as code. Everything is escaped first."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


_SHAPES = (
    '<circle cx="5" cy="5" r="4.4"/>',
    '<rect x="1" y="1" width="8" height="8"/>',
    '<path d="M5 .6 9.6 9H.4Z"/>',
    '<path d="M5 0 9.2 5 5 10 .8 5Z"/>',
    '<path d="M3.4.4h3.2v3h3v3.2h-3v3H3.4v-3h-3V3.4h3Z"/>',
    '<path d="M5 9.4.4 1h9.2Z"/>',
    '<path d="M9.4 5 1 9.6V.4Z"/>',
    '<path d="M.6 5 9 .4v9.2Z"/>',
)
"""Vega's shapes in the order of `skewbench.eval.figures.theme.SHAPES`, for the page's own legend."""
