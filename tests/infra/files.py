"""The deployment files, as data, and the commands that they name."""

import json
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import click
import typer
import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
CLUSTERS = {name: INFRA / "ray" / f"{name}.yaml" for name in ("aws", "gcp")}
IMAGE = re.compile(r"^(REGISTRY/)?skewbench:(?P<version>[\d.]+)-(cpu|gpu)$")


def read(path: Path) -> Any:
    """A YAML or JSON file."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def ray_cluster() -> dict[str, Any]:
    """Spec of the RayCluster."""
    return dict(read(INFRA / "kuberay" / "raycluster.yaml")["spec"])


def ray_job() -> dict[str, Any]:
    """Spec of the RayJob."""
    return dict(read(INFRA / "kuberay" / "rayjob.yaml")["spec"])


def pod_templates(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Pod templates of a Ray cluster's spec: the head's and each group's."""
    groups = {group["groupName"]: group["template"] for group in spec["workerGroupSpecs"]}
    return {"head": spec["headGroupSpec"]["template"], **groups}


def parses(command: str | list[str]) -> bool:
    """Whether a command line is one that `skewbench`, `ray` or `prefect` takes. Raises what the parser raises."""
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if words[0] == "skewbench":
        from skewbench.flows.cli import app

        return _parses_in_click(typer.main.get_command(app), words[1:])
    if words[0] == "ray":
        from ray.scripts.scripts import cli

        return _parses_in_click(cli, words[1:])
    if words[0] == "prefect":
        from prefect.cli._app import _app

        _app.parse_args(words[1:], exit_on_error=False, print_error=False)
        return True
    return False


def _parses_in_click(command: click.Command, words: list[str]) -> bool:
    context = command.make_context(command.name, list(words), resilient_parsing=False)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
        context = command.make_context(name, list(words), parent=context)
    return True


def ray_version() -> str:
    """The version that the files are held against."""
    return distribution("ray").version
