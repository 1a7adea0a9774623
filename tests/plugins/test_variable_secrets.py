from __future__ import annotations

import pytest

from sweep_plugins.variable_secrets import secret_values


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("PGPASSWORD", "opensesame", {"opensesame"}),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", {"wJalrXUtnFEMI"}),
        ("WANDB_API_KEY", "0123456789", {"0123456789"}),
        ("hf_token", "hf_abcdef", {"hf_abcdef"}),
        ("DB_PWD", "p w/0rd", {"p w/0rd", "p%20w%2F0rd"}),
        ("SWEEP_DB", "postgresql://me:open%20sesame@host/db", {"open%20sesame", "open sesame"}),
        ("HTTPS_PROXY", "http://me:opensesame@proxy:8080", {"opensesame"}),
        ("PRIVATE_KEY", "-----BEGIN\nabcdefgh\n", {"-----BEGIN", "abcdefgh"}),
        ("AWS_ACCESS_KEY_ID", "AKIA1234", set()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token", set()),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/dev/null", set()),
        ("TOKENIZERS_PARALLELISM", "disabled", set()),
        ("MAX_TOKENS", "1000000", set()),
        ("USE_TOKEN", "true", set()),
        ("PWD", "/home/somebody", set()),
        ("RAY_AUTH_MODE", "token-and-more", set()),
        ("PATH", "/usr/bin:/bin", set()),
    ],
)
def test_what_of_a_variable_is_secret(name, value, secrets):
    found = secret_values({name: value})
    assert secrets <= found
    assert bool(found) == bool(secrets)
