"""The commands of docker/compose.yaml, as processes on hosts of their own, finish a sweep.

Each service gets the host name, ports, environment, secrets and volumes that the file gives it.
What differs from containers: Postgres comes from a wheel and is set up by the test, everything
runs in this environment and not in the image, and the spec is a small one of the same name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import compose_file
import network_hosts
import postgres_on_host
from network_hosts import Host, HostNetwork, Process
from waiting import wait_until

SEEDS = 6

SPEC = f"""
name: quickstart
model: zerosnet
depth: 8
dataset: digits
trainer: fake_trainers:slow
training: {{epochs: 5}}
grid: {{scheme: [{{lambda: 10}}], seed: {list(range(SEEDS))}}}
evaluations: [{{noise: gaussian, std: 0.2}}]
"""

NO_HOSTS = network_hosts.why_not()

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.ray,
    pytest.mark.postgres,
    pytest.mark.skipif(NO_HOSTS is not None, reason=str(NO_HOSTS)),
    pytest.mark.timeout(300),
]


class Composition:
    """The services that were started, and where they keep things."""

    def __init__(self, network: HostNetwork, folder: Path) -> None:
        self.network = network
        self.services = compose_file.services()
        self.hosts: dict[str, Host] = {}
        self.secrets = folder / "secrets"
        script = compose_file.ROOT / "docker" / "make_secrets.sh"
        subprocess.run([script, self.secrets], check=True)
        self.volumes = {name: folder / name for name in ("home", "postgres", "specs")}
        for volume in self.volumes.values():
            volume.mkdir()
        (self.volumes["specs"] / "quickstart.yaml").write_text(SPEC)
        self.volumes["../specs"] = self.volumes["specs"]

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def environment(self, name: str) -> dict[str, str]:
        programs = [Path(sys.executable).parent, postgres_on_host.programs()]
        return {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "PYTHONPATH": os.environ["PYTHONPATH"],  # for the fake trainer
            **compose_file.environment_of(self.services[name]),
        }

    def add_host(self, name: str) -> Host:
        places = compose_file.places_of(self.services[name], self.volumes, self.secrets)
        self.hosts[name] = self.network.add(name, places)
        return self.hosts[name]

    def start(self, name: str) -> Process:
        command = compose_file.command_of(self.services[name])
        return self.add_host(name).start(command, self.environment(name), folder="/srv")

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """As `docker compose exec` does."""
        return self.hosts[name].run(command, self.environment(name), folder="/srv")

    def start_postgres(self) -> None:
        """What the image's own entrypoint does."""
        host, folder = self.add_host("postgres"), self.volumes["postgres"]
        postgres_on_host.start_postgres(host, folder, os.environ)
        self.wait_until_healthy("postgres")
        settings = self.environment("postgres")
        postgres_on_host.make_database(
            host,
            folder,
            settings["POSTGRES_DB"],
            settings["POSTGRES_USER"],
            self.secret(Path(settings["POSTGRES_PASSWORD_FILE"]).name),
        )

    def wait_until_healthy(self, name: str) -> None:
        check = compose_file.health_check_of(self.services[name])
        wait_until(lambda: self.run(name, *check).returncode == 0, f"{name} is healthy")


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Postgres, the head and a worker, started in the order of `depends_on`."""
    # Postgres' wheel wants a place for its lock file, and warns if it has to choose one itself.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    with (
        network_hosts.shared_folder() as folder,
        HostNetwork(folder, [*compose_file.services(), "intruder"]) as network,
    ):
        started = Composition(network, folder)
        started.start("ray-head")
        started.start_postgres()
        started.wait_until_healthy("ray-head")
        started.start("cpu-worker")
        started.wait_until_healthy("cpu-worker")
        yield started


def test_compose_services_refuse_a_wrong_token(composition: Composition) -> None:
    host = composition.network.add("intruder")
    check = compose_file.health_check_of(composition.services["ray-head"])
    env = composition.environment("ray-head")
    del env["RAY_AUTH_TOKEN_PATH"]
    refused = host.run(check, {**env, "RAY_AUTH_TOKEN": "0" * 64})
    assert refused.returncode != 0
    assert "InvalidAuthToken" in refused.stderr
    no_token = host.run(check, {**env, "RAY_AUTH_MODE": "disabled"})
    assert no_token.returncode != 0
    assert "InvalidAuthToken" in no_token.stderr


def test_the_compose_sweep_finishes_with_results_in_postgres(composition: Composition) -> None:
    service = composition.start("sweep")
    # The shell gives way to it, so that the signals of `docker stop` arrive.
    wait_until(lambda: service.ended or "sweep" in program_name(service), "the driver runs")
    assert not service.ended, service.output()
    secrets = {composition.secret("postgres_password"), composition.secret("ray_token")}
    for process in everything_on(composition.hosts.values()):
        assert not any(secret in process for secret in secrets)
    assert service.wait(120) == 0, service.output()
    asked = composition.run(
        "sweep", "sweep", "report", "quickstart", "--group-by", "seed", "--format", "json"
    )
    assert asked.returncode == 0, asked.stderr
    found = {group["seed"]: group["test_accuracy_mean"] for group in json.loads(asked.stdout)}
    assert found == {seed: 50.0 + seed for seed in range(SEEDS)}
    # The weights' folders lie on the shared volume.
    assert len(list((composition.volumes["home"] / "runs").glob("*/*/result.json"))) == SEEDS


def program_name(service: Process) -> str:
    """What the service's first process is by now; "" if it has ended."""
    try:
        return " ".join(Path(word).name for word in service.program.cmdline()[:2])
    except (psutil.Error, ValueError):
        return ""


def everything_on(hosts: Iterable[Host]) -> Iterator[str]:
    """The command lines on these hosts, which every user of a machine can see."""
    for host in hosts:
        for process in host.processes():
            with suppress(psutil.Error):
                yield " ".join(process.cmdline())
