"""In what two runs differ: their configs, code, environments and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.json_values import leaves
from results.provenance import OF_CODE, OF_ONE_ATTEMPT
from results.run_columns import MEASURED

SECTIONS = ("config", "code", "environment", "results")

_MISSING = object()


def run_differences(run: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What differs between two runs, as returned by `Queries.run_detail`.

    Besides `run` and `other`, their ids, one list for each of SECTIONS, of {"key", "run", "other"};
    a value that one of them lacks is None. Code and environment are those of the last attempts.
    """
    compared = {
        section: _differing(facts(run), facts(other))
        for section, facts in zip(SECTIONS, (_config, _code, _environment, _results), strict=True)
    }
    return {"run": run["run_id"], "other": other["run_id"], **compared}


def _differing(run: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "run": run.get(key), "other": other.get(key)}
        for key in dict.fromkeys([*run, *other])
        if run.get(key, _MISSING) != other.get(key, _MISSING)
    ]


def _config(detail: Mapping[str, Any]) -> dict[str, Any]:
    return leaves({k: v for k, v in detail["config"].items() if k not in ("source", "plugins")})


def _code(detail: Mapping[str, Any]) -> dict[str, Any]:
    told = _told(detail)
    accepted = _object(told.get("accepted_code"))
    files = _object(told.get("sources"))
    plugins = _object(detail["config"].get("plugins"))
    trained_by = {
        f"trainer {detail['config'].get('trainer')}": detail["config"].get("source"),
        **plugins,
        **accepted,
    }
    found = {
        "source": detail["config"].get("source"),
        **plugins,
        **{f"accepted_code.{name}": sha256 for name, sha256 in accepted.items()},
        "git_commit": told.get("git_commit"),
    }
    for sha256 in trained_by.values():
        found |= _object(files.get(str(sha256)))
    repositories = told.get("repositories")
    for state in map(_object, repositories if isinstance(repositories, list) else ()):
        found |= {
            f"{state.get('repository')}.{key}": value
            for key, value in state.items()
            if key not in ("repository", "diff")
        }
    return found


def _object(value: Any) -> Mapping[str, Any]:
    """It, if it is an object: an archive may say anything of an attempt."""
    return value if isinstance(value, Mapping) else {}


def _environment(detail: Mapping[str, Any]) -> dict[str, Any]:
    return leaves({k: v for k, v in _told(detail).items() if k not in OF_ONE_ATTEMPT | OF_CODE})


def _told(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    history = detail["attempt_history"]
    return _object(history[-1]["provenance"]) if history else {}


def _results(detail: Mapping[str, Any]) -> dict[str, Any]:
    found = {"state": detail["state"], "error": detail["error"]}
    found |= {column.name: detail[column.name] for column in MEASURED if column.name in detail}
    found |= {metric["name"]: metric["value"] for metric in detail["metrics"]}
    found |= {each["name"]: each["accuracy"] for each in detail["evaluations"]}
    found |= {f"files.{each['path']}": each["sha256"] for each in detail["files"]}
    return found
