"""PGPASSWORD is for connections of this process alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from results.database import inherited_password
from results.database.url import PostgresAddress, parse_address

URL = "postgresql://me@host/db"


@pytest.fixture(autouse=True)
def _kept_by_no_other_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inherited_password, "_kept", None)
    monkeypatch.delenv("PGSERVICE", raising=False)


def password(url: str = URL) -> str | None:
    address = parse_address(url)
    assert isinstance(address, PostgresAddress)
    assert "secret" not in repr(address)
    return address.credentials.get("password")


def test_a_kept_password_is_in_no_environment_and_in_every_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert password() is None  # libpq finds it
    inherited_password.keep()
    assert "PGPASSWORD" not in os.environ
    assert password() == "secret"
    inherited_password.keep()  # there is none any more
    assert password() == "secret"
    assert password("postgresql://me:other@host/db") == "other"
    assert password(f"{URL}?password=other") == "other"


def test_without_the_variable_there_is_no_password() -> None:
    inherited_password.keep()
    assert password() is None


def test_a_password_in_the_file_of_a_service_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = tmp_path / "services.conf"
    services.write_text("[with]\nhost=host\npassword=theirs\n[without]\nhost=host\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGPASSWORD", "secret")
    inherited_password.keep()
    assert password(f"{URL}?service=with") is None
    assert password(f"{URL}?service=without") == "secret"
    assert "PGSERVICE" not in os.environ
    monkeypatch.setenv("PGSERVICE", "with")
    assert password() is None
    assert os.environ["PGSERVICE"] == "with"
