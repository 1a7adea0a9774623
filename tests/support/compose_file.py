"""docker/compose.yaml, as a test that is no Docker reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker" / "compose.yaml"


def compose() -> dict[str, Any]:
    """The whole file."""
    loaded: dict[str, Any] = YAML(typ="safe").load(COMPOSE_FILE)
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def command_of(service: dict[str, Any]) -> list[str]:
    """What its container runs: entrypoint and command, after Compose's substitution."""
    return [_substituted(word) for word in [*service.get("entrypoint", []), *service["command"]]]


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {name: _substituted(str(value)) for name, value in service["environment"].items()}


def health_check_of(service: dict[str, Any]) -> list[str]:
    kind, *words = (_substituted(word) for word in service["healthcheck"]["test"])
    assert kind in ("CMD", "CMD-SHELL")
    return words if kind == "CMD" else ["sh", "-c", *words]


def places_of(service: dict[str, Any], volumes: dict[str, Path], secrets: Path) -> dict[str, Path]:
    """What its container sees: path inside, place outside.

    Args:
        volumes: places of named volumes, and of folders by their names in the file.
        secrets: the folder of secrets.
    """
    places = {f"/run/secrets/{name}": secrets / name for name in service.get("secrets", [])}
    for volume in service.get("volumes", []):
        source, target, *_ = volume.split(":")
        places[target] = volumes[source]
    return places


def _substituted(text: str) -> str:
    assert "${" not in text, f"this reader knows no variables: {text}"
    return text.replace("$$", "$")
