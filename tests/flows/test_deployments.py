"""What the UI offers, without a server: forms, deployments of both kinds, and what people wrote as inert text."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.flows import load_flow_from_entrypoint

from skewbench.flows import experiments
from skewbench.flows.parameters import DEMO, Bundled, Pasted, choose
from skewbench.flows.serving.deployments import FLOWS, deployments
from skewbench.flows.serving.names import NAMES
from skewbench.flows.steps import limit_name
from skewbench.storage.store import LocalStore
from skewbench.tasks.report import answered
from skewbench.tasks.report.summary import inert, summarise
from skewbench.vocabulary.errors import InputError
from tests.flows.command import SMALL
from tests.lakes import Lake, made

WORK_POOL = Path(__file__).parents[2] / "infra" / "prefect.yaml"


def test_every_parameter_is_described_and_has_a_default() -> None:
    for deployment in deployments("lake"):
        schema: dict[str, Any] = deployment._parameter_openapi_schema.model_dump()
        assert not schema["required"], deployment.flow_name
        for name, parameter in schema["properties"].items():
            assert parameter.get("description"), (deployment.flow_name, name)
            assert "default" in parameter, (deployment.flow_name, name)
        for kind in schema["definitions"].values():
            for name, field in kind["properties"].items():
                inside = kind["title"], name
                assert field.get("description") or "$ref" in field or name in ("kind", "knob", "cells"), inside


def test_the_form_as_it_stands_is_the_demo() -> None:
    assert choose(DEMO) == experiments.load("demo")


def test_a_smaller_demo(tmp_path: Path) -> None:
    small = choose(Bundled(prompts=3, seeds=2, steps=5))
    assert (small.prompts.count, small.seeds, small.generation.steps) == (3, 2, 5)
    own = choose(Bundled(name="paper-knob", prompts_file=str(tmp_path), prompts=7))
    assert (own.prompts.source, own.prompts.path, own.prompts.count) == ("file", str(tmp_path), 7)


def test_pasted_yaml_is_checked_as_a_file_is() -> None:
    assert choose(Pasted(yaml=yaml.safe_dump(SMALL))).name == "small"
    for text, said in (
        ("seeds: [", "not YAML"),
        ("just words", "a mapping of fields"),
        ("name: x", "cells: is missing"),
    ):
        with pytest.raises(InputError, match=f"the pasted experiment: .*{said}"):
            choose(Pasted(yaml=text))


def test_work_pools_have_the_same_flows() -> None:
    content = yaml.safe_load(WORK_POOL.read_text(encoding="utf-8"))
    listed = PrefectYamlModel.model_validate(content).deployments
    found = [load_flow_from_entrypoint(str(deployment.entrypoint)) for deployment in listed]
    assert {flow.name: deployment.name for flow, deployment in zip(found, listed, strict=True)} == NAMES
    assert len(set(NAMES.values())) == len(FLOWS)
    for flow, deployment in zip(found, listed, strict=True):
        assert set(deployment.parameters) <= set(flow.parameters.properties), flow.name


def test_a_limits_name_is_one_that_prefect_takes() -> None:
    assert limit_name("stabilityai/stable-diffusion-xl-base-1.0") == "model:stabilityai--stable-diffusion-xl-base-1.0"
    assert limit_name("/models/mine/") == "model:models--mine"


EVIL = "<img src=x onerror=alert(1)> [x](javascript:alert(2)) `code` **bold** https://a.example\n# heading"


def test_what_people_wrote_is_inert(tmp_path: Path) -> None:
    from html.parser import HTMLParser

    from markdown_it import MarkdownIt

    class Elements(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []
            self.text = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append(tag)

        def handle_data(self, data: str) -> None:
            self.text += data

    def rendered(markdown: str) -> Elements:
        read = Elements()
        read.feed(MarkdownIt("commonmark", {"html": True}).render(markdown))
        return read

    alone = rendered(inert(EVIL))
    assert alone.seen == ["p"]
    assert alone.text.strip() == " ".join(EVIL.split())
    failed = [{"job": "generation-s1", "error": EVIL}]
    run_id = made(tmp_path, Lake(), description=EVIL, failed_jobs=failed)
    with answered(LocalStore(tmp_path), run_id) as answers:
        page = rendered(summarise(answers))
    assert set(page.seen) <= {"p", "h2", "h3", "ul", "li", "strong", "code", "img"}
    assert page.seen.count("h2") == 1
    assert page.text.count("onerror=alert(1)") == 2


def test_figures_are_in_the_page(tmp_path: Path) -> None:
    with answered(LocalStore(tmp_path), made(tmp_path, Lake(prompts=12))) as answers:
        markdown = summarise(answers)
    assert markdown.count("](data:image/png;base64,") >= 3
    assert "Query `operating_curve`" in markdown
    assert len(markdown) < 1_500_000
