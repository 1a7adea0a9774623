"""`sweep.toml`: where it is found, what it may say, and what comes before it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import sweep
from sweeper.errors import RequestError, SpecError
from sweeper.settings.arguments import Options
from sweeper.settings.file import LARGEST_FILE, check_settings, read_settings
from sweeper.settings.names import DEFAULTS
from sweeper.settings.resolve import resolve

SPEC = "model: preresnet\ndataset: digits\ndepth: 8\n"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def toml(text: str, folder: str = ".") -> Path:
    path = Path(folder) / "sweep.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_hold():
    found = resolve({"home": None})
    assert found.values == DEFAULTS
    assert set(found.origins.values()) == {"default"}
    assert found.file is None


def test_python_takes_every_setting():
    assert set(Options.__annotations__) == set(DEFAULTS)


def test_an_argument_comes_before_a_variable_and_that_before_the_file():
    toml('home = "a"\ndb = "sqlite:///b.db"\nstorage = "c"\nslots = 2\ngrace = 3\n')
    variables = {"SWEEP_HOME": "/v", "SWEEP_DB": "", "SWEEP_STORAGE": "/w"}
    found = resolve({"storage": "/typed", "slots": None}, variables=variables)
    here = Path.cwd()
    assert found.values["home"] == "/v"
    assert found.values["db"] == f"sqlite:///{here}/b.db"
    assert found.values["storage"] == "/typed"
    assert (found.values["slots"], found.values["grace"]) == (2, 3.0)
    assert found.origins == {
        "home": "SWEEP_HOME",
        "db": "sweep.toml:2",
        "storage": "--storage",
        "executor": "default",
        "ray_address": "default",
        "ray_dashboard": "default",
        "slots": "sweep.toml:4",
        "grace": "sweep.toml:5",
        "device": "default",
    }
    assert found.home.database == f"sqlite:///{here}/b.db"


def test_paths_are_from_the_folder_of_the_file(monkeypatch):
    toml('home = "lab"\nstorage = "runs"\ndatabase = "sqlite:///x y.db"\n', "top")
    here = Path.cwd()
    Path("top/.git").mkdir()
    Path("top/deep/deeper").mkdir(parents=True)
    monkeypatch.chdir("top/deep/deeper")
    found = resolve({})
    assert found.home.folder == here / "top" / "lab"
    assert found.home.storage == str(here / "top" / "runs")
    assert found.values["db"] == f"sqlite:///{here}/top/x y.db"
    assert found.origins["db"].endswith("sweep.toml:3")


@pytest.mark.parametrize(
    "given",
    [
        "sqlite:////there.db",
        "sqlite:///~/there.db",
        "postgresql://me@host/lab",
        "postgresql:///lab",
    ],
)
def test_a_database_that_is_no_relative_path_stays_as_it_is(given):
    toml(f'db = "{given}"\n')
    assert resolve({}).values["db"] == given
    toml('storage = "s3://bucket/folder"\n')
    assert resolve({}).values["storage"] == "s3://bucket/folder"


def test_the_file_nearest_to_the_spec_counts_and_none_above_the_repository(monkeypatch):
    toml("slots = 1\n")
    toml("slots = 2\n", "repository/specs")
    toml("slots = 3\n", "repository")
    Path("repository/specs/inner").mkdir()
    Path("repository/other").mkdir()

    def slots(beside: str | None = None) -> object:
        return resolve({}, None if beside is None else Path(beside)).values["slots"]

    assert slots() == 1
    assert slots("repository/specs/inner") == 2  # on the way up to the current folder
    assert slots("repository/other") == 3
    monkeypatch.chdir("repository/other")
    assert slots() is None  # no repository: only the current folder
    Path("../.git").mkdir()
    assert slots() == 3
    assert slots("../specs") == 2
    assert slots("/") == 3
    Path("../sweep.toml").unlink()
    assert slots() is None  # and not the one above the repository


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('hom = "x"\n', "sweep.toml:1: unknown key 'hom'; did you mean 'home'?"),
        ("\n# a\nresources = {gpu = 1}\n", "sweep.toml:3: unknown key 'gpu' in resources"),
        ("[resources]\n\ngpus = -1\n", "sweep.toml:3: resources.gpus: -1 is not allowed"),
        ('[resources]\ncpus = 1\n\n[x]\na = """\n1"""\n', "sweep.toml:4: unknown key 'x'"),
        ("slots = 0\n", "sweep.toml:1: slots: 0 is not allowed: input should be greater than or"),
        ("slots = true\n", "sweep.toml:1: slots: True is not allowed: input should be a valid"),
        ("home = 3\n", "sweep.toml:1: home: 3 is not allowed: input should be a valid string"),
        ('home = ""\n', "sweep.toml:1: home: '' is not allowed"),
        ("grace = inf\n", "sweep.toml:1: grace: inf is not allowed"),
        ('x = [\n1,\n2]\nhome = "h"\n', "sweep.toml:1: unknown key 'x'"),
        ('a = """\nhome = 1\n"""\nhome = 2\n', "sweep.toml:1: unknown key 'a'"),
        ("home = 'a'\nslots = = 1\n", "sweep.toml:2:9: not valid TOML: invalid value"),
        ("home = 'a'\nhome = 'b'\n", "sweep.toml:2:11: not valid TOML: cannot overwrite a value"),
        (
            "db = 'sqlite:///a'\ndatabase = 'sqlite:///a'\n",
            "sweep.toml:2: database is db, which is",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, says):
    toml(text)
    with pytest.raises(SpecError) as caught:
        resolve({})
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    "line",
    [
        'db = "postgresql://me:hunter2@host/lab"',
        'db = "postgresql://me@host/lab?password=hunter2"',
        'storage = "s3://key:hunter2@bucket"',
        'ray_address = "me:hunter2@head:6379"',
        "# postgresql://me:hunter2@host/lab",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(line):
    toml(f"slots = 1\n{line}\n")
    said = sweep("status")
    assert said.exit_code == 2
    assert said.stderr.startswith("error: sweep.toml:2: this holds what looks like a password")
    assert "~/.pgpass" in said.stderr
    assert "hunter2" not in said.stderr


def test_a_file_that_is_none_or_too_large_or_no_text_is_refused():
    Path("sweep.toml").mkdir()
    with pytest.raises(RequestError, match=r"^sweep.toml is no file$"):
        resolve({})
    Path("sweep.toml").rmdir()
    os.mkfifo("sweep.toml")
    with pytest.raises(RequestError, match=r"^sweep.toml is no file$"):
        resolve({})
    Path("sweep.toml").unlink()
    Path("sweep.toml").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(RequestError, match="more than the 20,000 bytes"):
        resolve({})
    Path("sweep.toml").write_bytes(b"slots = 1\nhome = '\xff'\n")
    with pytest.raises(SpecError, match=r"^sweep.toml:2: not UTF-8 text"):
        resolve({})


def test_what_is_for_ray_alone_holds_only_where_ray_runs():
    toml('ray_address = "head:6379"\nray_dashboard = true\n')
    assert resolve({}).values["ray_address"] == "head:6379"
    inline = resolve({"executor": "inline"})
    assert (inline.values["ray_address"], inline.values["ray_dashboard"]) == (None, False)
    both = resolve({"executor": "inline", "ray_address": "typed:6379"})
    assert both.values["ray_address"] == "typed:6379"  # a contradiction that is an error later


def test_arguments_of_python_are_checked_as_the_file_is():
    assert check_settings({"home": Path("x"), "slots": None, "grace": 1}) == {
        "home": "x",
        "grace": 1.0,
    }
    with pytest.raises(RequestError, match=r"slots: 0 is not allowed"):
        check_settings({"slots": 0})
    with pytest.raises(TypeError, match="homes"):
        check_settings({"homes": "x"})


_VALUE = st.sampled_from(
    ['"x"', "1", "true", "[\n1,\n 2\n]", '"""\n[resources]\na = 1\n"""', "{a = 1}"]
)
_KEY = st.sampled_from(["a", "b", '"c d"', "e.f", "home"])


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(
        st.one_of(
            st.tuples(_KEY, _VALUE).map(lambda pair: f"{pair[0]} = {pair[1]}"),
            st.sampled_from(["", "# b = 1", "[t]", "[u.v]"]),
        ),
        max_size=8,
    )
)
def test_the_line_of_each_key_is_the_one_where_it_is_written(lines):
    import tomllib

    from sweeper.settings.file import _lines

    text = "\n".join(lines) + "\n"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = _lines(text)
    written = text.splitlines()
    for key in data:
        line = written[found[key,] - 1]
        assert line.lstrip('["').startswith(key), (key, line)


def test_resources_are_beneath_those_of_the_spec():
    toml("[resources]\ngpus = 0.5\ncpus = 2\n")
    Path("s.yaml").write_text(f"{SPEC}resources: {{gpus: 0}}\n")
    said = sweep("plan", "s.yaml", "--resolved", "--set", "resources.cpus=3").stdout
    assert "  gpus: 0 " in said
    assert "s.yaml:4" in said
    assert "cpus: 3" in said
    Path("s.yaml").write_text(SPEC)
    lines = sweep("plan", "s.yaml", "--resolved").stdout.splitlines()
    assert [line.split() for line in lines if "sweep.toml" in line] == [
        ["gpus:", "0.5", "#", "sweep.toml:2"],
        ["cpus:", "2", "#", "sweep.toml:3"],
    ]


def test_commands_take_their_home_from_the_file_and_say_so_where_it_is_not_in_sight(tmp_path):
    toml('home = "lab"\nexecutor = "inline"\n', "specs")
    Path("specs/s.yaml").write_text(
        f"{SPEC}trainer: fake_trainers:quick\ntraining: {{epochs: 1}}\n"
    )
    done = sweep("run", "specs/s.yaml")
    assert done.exit_code == 0, done.stderr
    assert "settings of specs/sweep.toml\n" in done.stderr
    assert Path("specs/lab/sweep.db").exists()
    assert not Path(".sweep").exists()
    from_there = sweep("status", folder=tmp_path / "specs")
    assert from_there.exit_code == 0
    assert "settings of" not in from_there.stderr
    assert "1" in from_there.stdout
    elsewhere = sweep("status")
    assert "there is no database" in elsewhere.stderr


def test_reading_a_file_gives_its_values_and_places():
    found = read_settings(toml('executor = "inline"\n'))
    assert found.values == {"executor": "inline"}
    assert str(found.places["executor"]) == "sweep.toml:1"
    assert found.resources is None


def test_hints_have_what_only_the_file_beside_the_spec_says(monkeypatch):
    toml('home = "lab"\nexecutor = "inline"\nslots = 2\n', "specs")
    monkeypatch.setenv("SWEEP_STORAGE", "/elsewhere")
    variables = {"SWEEP_STORAGE": "/elsewhere"}
    found = resolve({}, Path("specs"), variables=variables)
    assert found.as_options() == " --home specs/lab --executor inline --slots 2"
    assert found.home.options == " --home specs/lab"
    toml('home = "specs/lab"\nslots = 3\nstorage = "kept"\ndb = "sqlite:///a.db"\n')
    found = resolve({}, Path("specs"), variables=variables)
    here = Path.cwd()
    assert found.as_options("slots", "home", "storage") == " --slots 2"
    # A default here, where the file in the current folder says something else.
    assert found.as_options("db") == f" --db sqlite:///{here}/specs/lab/sweep.db"
    found = resolve({"home": "a b", "grace": 1.0}, Path("specs"), variables=variables)
    assert found.as_options("home", "grace") == " --home 'a b' --grace 1.0"
    monkeypatch.chdir("specs")
    assert resolve({}, Path(), variables=variables).as_options() == ""
    toml("slots = 0\n", "..")  # that command says so itself
    assert resolve({}, Path(), variables=variables).as_options() == ""


def test_an_unknown_executor_is_an_error_with_its_line():
    Path("s.yaml").write_text(SPEC)
    toml('slots = 1\nexecutor = "inlin"\n')
    for command in (["plan", "s.yaml"], ["run", "s.yaml"]):
        said = sweep(*command)
        assert said.exit_code == 2
        wrong = "error: sweep.toml:2: unknown executor 'inlin'; did you mean 'inline'?"
        assert said.stderr.startswith(wrong)
    assert not Path(".sweep").exists()
    said = sweep("run", "s.yaml", "--executor", "rya")
    assert said.stderr.startswith("error: --executor: unknown executor 'rya'; did you mean 'ray'?")
