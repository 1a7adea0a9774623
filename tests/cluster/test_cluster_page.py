"""What docs/cluster.md tells people to type is checked, as far as it can be without the machines.

`sweep` commands are checked with those of all other pages, in tests/end_to_end/test_docs.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from compose_file import services
from offered_options import offered_options, options_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
(SCRIPT,) = re.findall(r"```bash\n(.*?)```", PAGE, re.S)


def commands(program: str) -> list[list[str]]:
    """Every command line of the page, that of the batch script included, by its program."""
    shown = re.findall(r"^    (\S.*)$", PAGE, re.M) + SCRIPT.replace("\\\n", " ").splitlines()
    lines = [shlex.split(line, comments=True) for line in shown if program in line]
    return [words[words.index(program) :] for words in lines if program in words]


@pytest.mark.parametrize("words", commands("ray"), ids=" ".join)
@pytest.mark.slow
def test_ray_options_on_the_cluster_page_exist(words: list[str]) -> None:
    # What comes after -- is the job's command.
    words = words[: words.index("--")] if "--" in words else words
    command = words[:3] if words[1] == "job" else words[:2]
    assert options_in(words) <= offered_options(*command)


def test_the_job_on_the_cluster_page_is_a_sweep_command() -> None:
    (job,) = [words for words in commands("ray") if "submit" in words]
    _, command, *words = job[job.index("--") + 1 :]
    assert options_in(words) <= offered_options("sweep", command)


def test_the_batch_script_on_the_cluster_page_is_valid_bash() -> None:
    checked = subprocess.run(["bash", "-n"], input=SCRIPT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert SCRIPT.splitlines()[-1].startswith("exec sweep run ")


@pytest.mark.parametrize("words", commands("docker") + commands("kubectl"), ids=" ".join)
def test_files_and_services_on_the_cluster_page_exist(words: list[str]) -> None:
    for option in ("--file", "--filename"):
        if option in words:
            assert (ROOT / words[words.index(option) + 1]).is_file()
    if "run" in words:
        after = words[words.index("run") + 1 :]
        names = [word for word in after if not word.startswith("--")]
        names = names[1:] if "--entrypoint" in after else names
        assert names[0] in services()
    if "--profile" in words:
        profile = words[words.index("--profile") + 1]
        assert any(profile in service.get("profiles", []) for service in services().values())
    if "--scale" in words:
        assert words[words.index("--scale") + 1].split("=")[0] in services()


def test_the_documented_secret_matches_the_manifest() -> None:
    (words,) = [words for words in commands("kubectl") if "secret" in words]
    manifest = (ROOT / "docker" / "rayjob.yaml").read_text()
    assert re.search(r"secretKeyRef:\n\s+name: sweep\n\s+key: database\n", manifest)
    assert words[:5] == ["kubectl", "create", "secret", "generic", "sweep"]
    assert words[5].startswith("--from-file=database=")
