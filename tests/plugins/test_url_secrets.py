"""What is taken for a secret in a URL, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep_plugins.url_secrets import holds_secret, quotes_secret, without_secrets

SECRET = "wJalrXUtnFEMI"

IN_TEXT = [
    f"s3://AKIA:{SECRET}@bucket/runs",
    f"S3://AKIA:{SECRET}/K7MDENG+b@bucket/runs",
    f"s3://AKIA:/{SECRET}@bucket",
    f"s3://:{SECRET}@bucket",
    f"s3://AKIA%3A{SECRET}%40bucket",
    f"s3:/AKIA:{SECRET}@bucket",
    f"s3:///AKIA:{SECRET}@bucket",
    f"s3:AKIA:{SECRET}@bucket",
    f"//AKIA:{SECRET}@bucket",
    f"s3//AKIA:{SECRET}@bucket",
    f"file:///AKIA:{SECRET}@bucket",
    f"sftp://user:p@{SECRET}@host/runs",
    f"s3://bucket/runs?token={SECRET}",
    f"s3://bucket/runs?a=b&secret={SECRET}",
    f"abfs://c@account.dfs.core.windows.net/runs?sv=2022&sig={SECRET}",
    f"https://host/x?X-Amz-Signature={SECRET}",
    f"https://host/x?X-Amz-Security-Token={SECRET}",
    f"https://host/x?AWSAccessKeyId={SECRET}",
    f"https://host/x#access_token={SECRET}",
    f"/data/runs?api_key={SECRET}",
    f"sqlite:////data/x.db%3Fpassword={SECRET}",
    f"description: see https://me:{SECRET}@wiki/page",
]
IN_PLACE = [
    f"AKIA:{SECRET}@bucket/runs",
    f"/AKIA:{SECRET}@bucket",
    f"AKIA%3A{SECRET}@bucket",
    f":{SECRET}@host:6379",
]
NONE = [
    "/data/runs",
    "runs",
    "~/runs 2024-01-01T10:30",
    "/data/me@home:1/runs",
    "/data/10:30/me@home",
    "s3://bucket/runs",
    "s3://KEY@bucket",
    "sftp://user@host:22/a/b",
    "sftp://user@host:22/a@b:c",
    "http://host:8080/a@b",
    "http://[::1]:8080/a@b",
    "hdfs://host:9000",
    "abfs://container@account.dfs.core.windows.net/a:b",
    "memory://a/b@c:d/e",
    "memory://host:8020/runs",
    "https://host/x?page=3&sort=key",
    "https://host/x?signal=3",
    "postgresql://me@127.0.0.1:1/lab",
    "127.0.0.1:6379",
    "",
]


@pytest.mark.parametrize("text", IN_TEXT)
def test_a_secret_is_found_wherever_it_stands(text: str) -> None:
    assert holds_secret(text)
    assert quotes_secret(text)
    assert quotes_secret(f"model: x  # {text}")


@pytest.mark.parametrize("place", IN_PLACE)
def test_a_place_may_have_lost_its_scheme(place: str) -> None:
    assert holds_secret(place)


@pytest.mark.parametrize("place", NONE)
def test_what_is_no_secret_is_let_through(place: str) -> None:
    assert not holds_secret(place)
    assert not quotes_secret(place)
    if "@" not in place:
        assert without_secrets(place) == place


def test_text_loses_what_it_quotes_of_a_secret() -> None:
    for url in IN_TEXT:
        if "%" not in url:
            said = without_secrets(f"cannot connect to {url} (timed out), and {url}: no")
            assert SECRET not in said
            assert said.startswith("cannot connect to ")
    said = without_secrets(f"no answer from https://me:{SECRET}@proxy:8080/b?sig={SECRET}&se=1 now")
    assert said == "no answer from https://proxy:8080/b?sig=***&se=1 now"


@given(st.text(st.sampled_from(":/@?&=%#ab1 \n") | st.characters(), max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert quotes_secret(text) <= holds_secret(text)
    assert isinstance(without_secrets(text), str)
