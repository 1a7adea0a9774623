"""Coverage-guided fuzzing of what a user can type: runs until it is stopped, or finds something.

    python tests/fuzz/fuzz_inputs.py specs                      # specs from the grammar, broken
    python tests/fuzz/fuzz_inputs.py bytes -max_total_time=60   # any bytes as a spec, for a minute
    python tests/fuzz/fuzz_inputs.py overrides                  # --set
    python tests/fuzz/fuzz_inputs.py questions                  # --where, --group-by, names, ...

Needs atheris (`pip install atheris`; Python 3.11 to 3.13), which the test suite does not: the laws
are those of the tests next to this file, where hypothesis draws the examples alone. Further
arguments are libFuzzer's, such as a folder that keeps the corpus. What breaks a law is printed,
and its input kept in a file that a later call takes as an argument.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import atheris
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

# An input that takes more seconds or MB is a finding too. Long ones come from the start, since what
# hypothesis draws takes some hundred bytes.
OPTIONS = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-len_control=0"]

# What is imported here is watched; the commands import most of it only when they run.
with atheris.instrument_imports(include=["sweeper", "trainers", "results", "ruamel"]):
    import broken_questions
    import broken_specs
    import results.analysis.group_tests
    import results.analysis.pivot
    import results.analysis.reports
    import results.comparison
    import results.queries.queries  # noqa: F401
    import sweeper.cli
    import sweeper.spec.spec  # noqa: F401


def target(name: str, folder: Path) -> Callable[[bytes], object]:
    """What libFuzzer calls with its bytes."""
    if name == "questions":
        laws = _laws("test_questions")
        database = laws.fill(f"sqlite:///{folder}/results.db")
        return _steered(
            broken_questions.questions, lambda arguments: laws.ask(database, folder, arguments)
        )
    laws, file = _laws("test_specs"), folder / "s.yaml"
    match name:
        case "bytes":
            return lambda content: laws.read(file, content)
        case "specs":
            return _steered(broken_specs.broken_files(), lambda content: laws.read(file, content))
        case "overrides":
            return _steered(
                st.lists(broken_specs.broken_overrides(), min_size=1, max_size=3),
                lambda overrides: laws.read(file, laws.SOUND.encode(), tuple(overrides)),
            )
    sys.exit(f"{name!r} is not one of specs, bytes, overrides, questions")


def _steered(
    examples: st.SearchStrategy, law: Callable[[object], object]
) -> Callable[[bytes], object]:
    """The law for what hypothesis draws when libFuzzer's bytes make its choices."""

    @settings(database=None, deadline=None)
    @given(examples)
    def one(example: object) -> None:
        law(example)

    return one.hypothesis.fuzz_one_input  # type: ignore[attr-defined]


def _laws(name: str) -> ModuleType:
    """The module of tests next to this one."""
    specification = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def main() -> None:
    name, *options = sys.argv[1:] or ["specs"]
    with tempfile.TemporaryDirectory() as folder:
        atheris.Setup([sys.argv[0], *OPTIONS, *options], target(name, Path(folder)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
