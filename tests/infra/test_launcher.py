"""Cluster files of Ray's launcher: through the launcher's own reading and schema; spot GPUs, token, loopback."""

from typing import Any

import pytest
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.infra.files import CLUSTERS, IMAGE, parses, read

CONFIGS = {name: read(path) for name, path in CLUSTERS.items()}


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(CONFIGS[request.param])


def test_schema(config: dict[str, Any]) -> None:
    ready = prepare_config(config)
    validate_config(ready)
    assert ready["head_node_type"] == "head"
    assert ready["setup_commands"] == ready["head_setup_commands"] == ready["worker_setup_commands"] == []


def test_the_head_drives_and_gpus_come_and_go(config: dict[str, Any]) -> None:
    nodes = config["available_node_types"]
    assert nodes["head"]["resources"] == {"CPU": 0}
    assert nodes["gpu"]["resources"]["GPU"] == 1
    assert (nodes["gpu"]["min_workers"], nodes["gpu"]["max_workers"], config["max_workers"]) == (0, 8, 8)


def test_gpus_are_spot_and_the_head_is_not() -> None:
    aws, gcp = (CONFIGS[name]["available_node_types"] for name in ("aws", "gcp"))
    assert aws["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert gcp["gpu"]["node_config"]["scheduling"]["provisioningModel"] == "SPOT"
    assert "InstanceMarketOptions" not in aws["head"]["node_config"]
    assert "scheduling" not in gcp["head"]["node_config"]


def test_images(config: dict[str, Any]) -> None:
    assert IMAGE.match(config["docker"]["head_image"])
    assert IMAGE.match(config["docker"]["worker_image"])


def test_ray_starts_with_a_token_and_the_dashboard_on_loopback(config: dict[str, Any]) -> None:
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    commands = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    started = [command.split("; ")[-1].replace("$RAY_HEAD_IP", "10.0.0.1") for command in commands]
    assert all(parses(command) for command in started)
    (head,) = [command for command in started if "--head" in command]
    assert "--dashboard-host=127.0.0.1" in head


def test_both_clouds_start_ray_alike() -> None:
    for field in ("head_start_ray_commands", "worker_start_ray_commands", "file_mounts", "max_workers"):
        assert CONFIGS["aws"][field] == CONFIGS["gcp"][field], field
    assert _docker("aws") == _docker("gcp")


def _docker(cloud: str) -> dict[str, Any]:
    """How containers are started, but for where the cloud's own keys and regions are told."""
    options: dict[str, Any] = CONFIGS[cloud]["docker"]
    own = tuple(f"--env={name}" for name in ("AWS_", "GCE_", "GOOGLE_"))
    return options | {"run_options": [option for option in options["run_options"] if not option.startswith(own)]}
