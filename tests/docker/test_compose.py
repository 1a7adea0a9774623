"""docker/compose.yaml against its schema, our command line, and what it promises."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from compose_file import COMPOSE_FILE, ROOT, command_of, compose, environment_of, services
from offered_options import offered_options, options_in

BIN = Path(sys.executable).parent
OURS = [name for name in services() if name != "postgres"]


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
    )


def seconds(duration: str) -> float:
    (number,) = re.fullmatch(r"(\d+)s", duration).groups()
    return float(number)


def test_the_compose_file_is_valid_by_the_published_schema() -> None:
    done = validate(COMPOSE_FILE)
    assert done.returncode == 0, done.stdout


def test_the_compose_schema_refuses_a_misspelt_key(tmp_path: Path) -> None:
    worse = tmp_path / "compose.yaml"
    worse.write_text(COMPOSE_FILE.read_text().replace("stop_grace_period", "stop_grace_time"))
    done = validate(worse)
    assert done.returncode == 1
    assert "stop_grace_time" in done.stdout


def ray_starts() -> list[list[str]]:
    """Every `ray start ...`, those in a shell's script among them."""
    commands = [command_of(services()[name]) for name in OURS]
    for command in list(commands):
        if command[0] == "sh":
            commands += [shlex.split(line) for line in command[2].splitlines()]
    return [command for command in commands if command[:2] == ["ray", "start"]]


@pytest.mark.slow
def test_ray_options_in_the_compose_file_exist() -> None:
    assert len(ray_starts()) == len(OURS)
    for words in ray_starts():
        assert options_in(words) <= offered_options("ray", "start")


def test_sweep_options_in_the_compose_file_exist() -> None:
    words = services()["sweep"]["command"]
    assert words[0] == "run"
    assert len(options_in(words)) >= 3
    assert options_in(words) <= offered_options("sweep", "run")


def test_the_spec_named_in_the_compose_file_exists() -> None:
    service = services()["sweep"]
    assert (ROOT / service["command"][1]).is_file()
    assert "../specs:/srv/specs:ro" in service["volumes"]


def test_the_compose_image_has_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {services()[name]["image"] for name in OURS} == {f"sweep:{project['version']}"}


def test_compose_ports_are_published_on_loopback_only() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert all(service.get("network_mode") is None for service in services().values())


@pytest.mark.parametrize("name", OURS)
def test_every_compose_ray_node_requires_the_token(name: str) -> None:
    service = services()[name]
    environment = environment_of(service)
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"
    assert "ray_token" in service["secrets"]


@pytest.mark.parametrize("name", OURS)
def test_compose_containers_have_no_privileges(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_compose_file_contains_no_secret() -> None:
    # Passwords come from files, and no URL has one.
    assert not re.search(r"PASSWORD: ", COMPOSE_FILE.read_text())
    assert not re.search(r"://[^\s/@]*:[^\s/@]*@", COMPOSE_FILE.read_text())
    used = {name for service in services().values() for name in service.get("secrets", [])}
    assert used == set(compose()["secrets"])


def test_the_secrets_script_creates_every_secret_once(tmp_path: Path) -> None:
    script, folder = ROOT / "docker" / "make_secrets.sh", tmp_path / "secrets"
    subprocess.run([script, folder], check=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == {Path(entry["file"]).name for entry in compose()["secrets"].values()}
    assert folder.stat().st_mode & 0o777 == 0o700
    # Containers' users, who have other numbers, read the files without seeing the folder.
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in folder.iterdir())
    assert re.fullmatch(r"[0-9a-f]{64}", made["ray_token"])
    assert f"password={made['postgres_password']}" in made["pg_service.conf"]
    subprocess.run([script, folder], check=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_a_stopped_compose_sweep_has_time_to_shut_down() -> None:
    service = services()["sweep"]
    (grace,) = [word.split("=")[1] for word in service["command"] if word.startswith("--grace=")]
    left = environment_of(services()["ray-head"])["RAY_JOB_STOP_WAIT_TIME_S"]
    assert seconds(service["stop_grace_period"]) >= float(grace) + 20
    assert float(left) >= float(grace) + 20


def test_compose_stops_the_sweep_before_its_dependencies() -> None:
    # Compose stops in the opposite order of `depends_on`.
    needed = services()["sweep"]["depends_on"]
    assert set(needed) == {"postgres", "cpu-worker", "gpu-worker"}
    for name in needed:
        assert needed[name]["condition"] == "service_healthy"
        assert "healthcheck" in services()[name]
