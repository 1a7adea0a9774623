"""docker/rayjob.yaml against Kubernetes' schemas, KubeRay's fields, and our command line."""

from __future__ import annotations

import json
import re
import shlex
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from offered_options import offered_options, options_in

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "rayjob.schema.json").read_text())
KUBERNETES = ("1.32", "1.34", "1.36")

CLAIM, JOB = YAML(typ="safe").load_all(ROOT / "docker" / "rayjob.yaml")
CLUSTER: dict[str, Any] = JOB["spec"]["rayClusterSpec"]
GROUPS: dict[str, dict[str, Any]] = {
    "head": CLUSTER["headGroupSpec"],
    **{group["groupName"]: group for group in CLUSTER["workerGroupSpecs"]},
}


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = GROUPS[name]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    checked: dict[str, Any] = found
    return checked


def as_object(template: dict[str, Any]) -> dict[str, Any]:
    """Something that Kubernetes itself has a schema for."""
    metadata = {"name": "checked"}
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": template}


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_volume_claim_is_valid_kubernetes(version: str) -> None:
    kubernetes_validate.validate(CLAIM, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", GROUPS)
def test_the_pod_templates_are_valid_kubernetes(name: str, version: str) -> None:
    kubernetes_validate.validate(as_object(GROUPS[name]["template"]), version, strict=True)


def test_kubernetes_validation_refuses_a_misspelt_field() -> None:
    template = deepcopy(GROUPS["head"]["template"])
    template["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagePullPolice"):
        kubernetes_validate.validate(as_object(template), KUBERNETES[0], strict=True)


def test_the_rayjob_fields_are_known_to_kuberay() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(JOB, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job["spec"].update(backofLimit=1),
        lambda job: job["spec"]["rayClusterSpec"]["authOptions"].update(mode="tokens"),
        lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].pop("minReplicas"),
        lambda job: job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"].update(port=1),
    ],
)
def test_kuberay_validation_refuses_an_unknown_field(change: Any) -> None:
    job = deepcopy(JOB)
    change(job)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMA)


def test_the_rayjob_keeps_kuberays_rules_across_fields() -> None:
    assert JOB["spec"]["shutdownAfterJobFinishes"] is True  # or it refuses ttlSecondsAfterFinished
    for group in CLUSTER["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_rayjob_uses_the_images_ray_version() -> None:
    (pinned,) = re.findall(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert CLUSTER["rayVersion"] == pinned
    assert CLUSTER["authOptions"] == {"mode": "token"}


@pytest.mark.slow
def test_options_in_the_rayjob_exist() -> None:
    program, command, spec, *words = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, command) == ("sweep", "run")
    assert len(options_in(words)) >= 3
    assert options_in(words) <= offered_options("sweep", "run")
    for group in GROUPS.values():
        options = {f"--{name}" for name in group["rayStartParams"]}
        assert options <= offered_options("ray", "start")
    # The image has the specs there.
    assert "COPY specs/ /srv/specs/" in (ROOT / "docker" / "Dockerfile").read_text()
    assert (ROOT / Path(spec).relative_to("/srv")).is_file()


@pytest.mark.parametrize("name", GROUPS)
def test_every_pod_runs_as_the_image_user_without_privileges(name: str) -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", (ROOT / "docker" / "Dockerfile").read_text(), re.M)
    context = pod(name)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == int(user)
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", GROUPS)
def test_every_pod_has_requests_limits_and_the_shared_home(name: str) -> None:
    resources = container(name)["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"]) & set(resources["limits"])
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    (mount,) = container(name)["volumeMounts"]
    (volume,) = pod(name)["volumes"]
    assert mount == {"name": volume["name"], "mountPath": "/srv/sweep"}
    assert volume["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]


def test_only_the_driver_pod_gets_the_database_url_from_a_secret() -> None:
    for name in GROUPS:
        variables = {entry["name"]: entry for entry in container(name).get("env", [])}
        assert ("SWEEP_DB" in variables) == (name == "head")
        assert "value" not in variables.get("SWEEP_DB", {})
    assert GROUPS["head"]["rayStartParams"]["num-cpus"] == "0"  # so that no worker runs on it


@pytest.mark.parametrize("name", GROUPS)
def test_a_stopped_rayjob_sweep_has_time_to_shut_down(name: str) -> None:
    words = shlex.split(JOB["spec"]["entrypoint"])
    grace = float(words[words.index("--grace") + 1])
    assert pod(name)["terminationGracePeriodSeconds"] >= grace + 20
    (left,) = [
        entry["value"]
        for entry in container("head")["env"]
        if entry["name"] == "RAY_JOB_STOP_WAIT_TIME_S"
    ]
    assert float(left) >= grace + 20
