"""Fixtures for tests of every package."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SUPPORT = Path(__file__).parent / "support"

# What was green once stays green until something changes. HYPOTHESIS_PROFILE=search looks for
# examples that no run before has seen. No test fails because the machine is busy.
_PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same examples", derandomize=True, **_PATIENT)
settings.register_profile("search", print_blob=True, **_PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same examples"))


@pytest.fixture(autouse=True, scope="session")
def _fake_trainers_can_be_imported() -> None:
    """Here and in every process that a test starts."""
    sys.path.insert(0, str(SUPPORT))
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SUPPORT), inherited)))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWEEP_HOME", "SWEEP_DB", "SWEEP_STORAGE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
