"""KubeRay's files and Prefect's job: pods against Kubernetes' own schema, the rest against KubeRay's field names."""

import json
import re
from typing import Any

import kubernetes_validate
import pytest
from prefect.client.schemas.actions import WorkPoolCreate

from tests.infra.files import IMAGE, INFRA, parses, pod_templates, ray_cluster, ray_job, ray_version, read

KUBERNETES = "1.34"
CLUSTER, JOB = ray_cluster(), ray_job()
TEMPLATES = {
    **{f"cluster-{name}": template for name, template in pod_templates(CLUSTER).items()},
    **{f"job-{name}": template for name, template in pod_templates(JOB["rayClusterSpec"]).items()},
}

# Fields of KubeRay 1.7.0's API that the files use (ray-operator/apis/ray/v1/*_types.go, Apache 2.0): Kubernetes drops
# an unknown field without a word, so a slip of the pen would show in the bill alone.
FIELDS = {
    "cluster": "rayVersion authOptions enableInTreeAutoscaling autoscalerOptions headGroupSpec workerGroupSpecs",
    "autoscaler": "version idleTimeoutSeconds securityContext resources",
    "head": "serviceType rayStartParams template",
    "group": "groupName replicas minReplicas maxReplicas rayStartParams template",
    "job": "entrypoint submissionMode backoffLimit activeDeadlineSeconds preRunningDeadlineSeconds "
    "shutdownAfterJobFinishes ttlSecondsAfterFinished rayClusterSpec",
}


def _validate(kind: str, version: str, body: dict[str, Any]) -> None:
    resource = {"apiVersion": version, "kind": kind, "metadata": {"name": "it"}, **body}
    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", TEMPLATES)
def test_pods(name: str) -> None:
    _validate("PodTemplate", "v1", {"template": TEMPLATES[name]})


def test_a_wrong_pod_would_be_found() -> None:
    template = json.loads(json.dumps(TEMPLATES["cluster-gpu"]))
    template["spec"]["containers"][0]["resourses"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="resourses"):
        _validate("PodTemplate", "v1", {"template": template})


def test_fields_are_kuberays() -> None:
    assert read(INFRA / "kuberay" / "raycluster.yaml")["apiVersion"] == "ray.io/v1"
    assert read(INFRA / "kuberay" / "rayjob.yaml")["kind"] == "RayJob"
    parts = {
        "cluster": CLUSTER,
        "autoscaler": CLUSTER["autoscalerOptions"],
        "head": CLUSTER["headGroupSpec"],
        "group": CLUSTER["workerGroupSpecs"][0],
        "job": JOB,
    }
    for name, part in parts.items():
        assert set(part) <= set(FIELDS[name].split()), name


def test_the_job_has_the_cluster() -> None:
    assert JOB["rayClusterSpec"] == CLUSTER


def test_the_head_drives_and_gpus_come_and_go() -> None:
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert CLUSTER["enableInTreeAutoscaling"]
    (group,) = CLUSTER["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 8)
    assert group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    tolerated = {toleration["key"] for toleration in group["template"]["spec"]["tolerations"]}
    assert {"nvidia.com/gpu", "cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority"} <= tolerated
    assert "tolerations" not in CLUSTER["headGroupSpec"]["template"]["spec"]  # a driver on a spot machine ends the run


@pytest.mark.parametrize("name", TEMPLATES)
def test_pods_are_locked(name: str) -> None:
    spec = TEMPLATES[name]["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["securityContext"]["runAsNonRoot"]
    for container in spec["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert IMAGE.match(container["image"])
        assert not any(re.search("KEY|TOKEN|SECRET", variable["name"]) for variable in container["env"])


def test_auth_is_on_and_versions_agree() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert CLUSTER["rayVersion"] == ray_version()


def test_the_entrypoint_parses() -> None:
    assert parses(JOB["entrypoint"])


class TestWorkPool:
    template = read(INFRA / "prefect-work-pool.json")

    def test_prefect_takes_it(self) -> None:
        pool = WorkPoolCreate(name="it", type="kubernetes", base_job_template=self.template)
        assert pool.base_job_template == self.template
        used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(self.template["job_configuration"])))
        assert used == set(self.template["variables"]["properties"])

    def test_the_job_that_comes_out_is_one(self) -> None:
        defaults = {name: field.get("default") for name, field in self.template["variables"]["properties"].items()}
        values = {**defaults, "command": ["prefect", "flow-run", "execute"], "labels": {"run": "it"}, "name": "it"}
        values["env"] = [{"name": name, "value": value} for name, value in defaults["env"].items()]
        manifest = _filled(self.template["job_configuration"]["job_manifest"], values)
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        assert parses(manifest["spec"]["template"]["spec"]["containers"][0]["args"])

    def test_it_belongs_to_the_cluster(self) -> None:
        fields = self.template["variables"]["properties"]
        name = read(INFRA / "kuberay" / "raycluster.yaml")["metadata"]["name"]
        assert fields["ray_cluster"]["default"] == name
        assert fields["env"]["default"]["RAY_ADDRESS"] == f"ray://{name}-head-svc:10001"
        lake = CLUSTER["headGroupSpec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
        assert fields["lake_secret"]["default"] == lake


def _filled(part: Any, values: dict[str, Any]) -> Any:
    """A template with its placeholders replaced, as Prefect's worker does it."""
    if isinstance(part, dict):
        return {key: _filled(value, values) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, values) for value in part]
    if isinstance(part, str) and (whole := re.fullmatch(r"\{\{ (\w+) \}\}", part)):
        return values[whole[1]]
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: str(values[found[1]]), part) if isinstance(part, str) else part
