"""Compose files: of compose's schema, loopback alone, no secret inside, and commands that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import Settings

from tests.infra.files import IMAGE, INFRA, ROOT, parses, read

COMPOSE = read(INFRA / "compose.yaml")
SERVICES = COMPOSE["services"]
TEXT = (INFRA / "compose.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_schema(name: str) -> None:
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, INFRA / name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_parts_are_there() -> None:
    assert {"postgres", "prefect", "ray-head", "ray-worker", "flows", "s3"} <= set(SERVICES)
    assert set(read(INFRA / "compose.gpu.yaml")["services"]) <= set(SERVICES)
    volumes = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert volumes == set(COMPOSE["volumes"])
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_ports_are_published_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_outside_and_must_be_set() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == asked  # none with a default
    example = (INFRA / "env.example").read_text(encoding="utf-8").splitlines()
    assert {line.split("=")[0] for line in example if line[0] != "#"} == asked
    assert all(line.endswith("=") for line in example if line[0] != "#")
    assert "infra/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if re.search(r"TOKEN|SECRET|PASSWORD|AUTH_STRING", name):
                assert "${" in value, name


def test_prefect_is_closed_to_pages_of_other_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """By settings that Prefect knows, as Prefect reads them."""
    for name, value in SERVICES["prefect"]["environment"].items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    assert server.api.auth_string
    assert (server.api.cors_allowed_origins, server.api.csrf_protection_enabled) == ("", True)
    assert server.ui.api_url == "/api"


def test_ray_asks_for_its_token_everywhere() -> None:
    for name in ("ray-head", "ray-worker", "flows"):
        assert SERVICES[name]["environment"]["RAY_AUTH_MODE"] == "token"
        assert SERVICES[name]["environment"]["RAY_AUTH_TOKEN"].startswith("${RAY_AUTH_TOKEN:?")
    assert "--num-cpus=0" in SERVICES["ray-head"]["command"]


def test_our_containers_are_locked_and_others_pinned() -> None:
    for service in SERVICES.values():
        image = service["image"]
        if IMAGE.match(image):
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        else:
            assert re.search(r":\d+\.\d+", image), image
        build = service.get("build")
        if build:
            assert (INFRA / build["context"] / build["dockerfile"]).is_file()


def test_commands_parse() -> None:
    ours = [service["command"] for service in SERVICES.values() if IMAGE.match(service["image"])]
    ours += [service["healthcheck"]["test"][1:] for service in SERVICES.values() if "healthcheck" in service]
    for shell in [command[2] for command in ours if command[:2] == ["sh", "-c"]]:
        ours += [shlex.split(part.removeprefix("exec ")) for part in shell.split(" && ")]
    checked = [command for command in ours if command[0] in ("ray", "prefect", "skewbench")]
    assert len(checked) == 6
    assert all(parses(command) for command in checked)


def test_commands_of_the_comments_parse() -> None:
    commands = re.findall(r"^#.*exec ray-head (skewbench .*)$", TEXT, re.MULTILINE)
    assert commands
    assert all(parses(shlex.split(command)) for command in commands)
