from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sweeper.errors import Place, RequestError, SpecError
from sweeper.spec.files import read_spec_file
from sweeper.spec.source import (
    DEEPEST_NESTING,
    LARGEST_FILE,
    LONGEST_MESSAGE,
    MOST_VALUES,
    parse_spec,
    parse_value,
)


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "s.yaml")
    return caught.value


def at(error: SpecError) -> tuple[int | None, int | None]:
    return error.place.line, error.place.column


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-0.5", -0.5),
        ("0x10", 16),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("5/9", "5/9"),
        ("1:30", "1:30"),
        ("'2020-01-01'", "2020-01-01"),
        ("!!str 3", "3"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_spec_scalars_follow_yaml_1_2(written, value):
    found = parse_spec(f"key: {written}\n", "s.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_spec_value_has_its_line_and_column():
    source = parse_spec("a: 1\ngrid:\n  depth: [20,\n    32]\n  s:\n    - {k: 1}\n", "s.yaml")
    assert source.place(("a",)) == Place("s.yaml", 1, 1)
    assert source.place(("grid", "depth")) == Place("s.yaml", 3, 3)
    assert source.place(("grid", "depth", 1)) == Place("s.yaml", 4, 5)
    assert source.place(("grid", "s", 0, "k")) == Place("s.yaml", 6, 8)


def test_missing_keys_are_placed_at_their_enclosing_value():
    source = parse_spec("# first\ngrid:\n  depth: [20]\n", "s.yaml")
    assert source.place(("grid", "depth", 0, "x", 3)) == Place("s.yaml", 3, 11)
    assert source.place(("training", "epochs")) == Place("s.yaml", 2, 1)


def test_a_place_is_printed_as_file_line_column():
    assert str(Place("s.yaml", 3, 7)) == "s.yaml:3:7"
    assert str(Place("--set depth=3")) == "--set depth=3"


def test_a_yaml_alias_is_a_copy_placed_where_it_is_used():
    source = parse_spec("a: &one {x: [1]}\nb: *one\n", "s.yaml")
    source.data["a"]["x"].append(2)
    assert source.data["b"] == {"x": [1]}
    assert source.place(("b",)) == Place("s.yaml", 2, 1)


def test_a_yaml_anchor_can_be_redefined():
    assert parse_spec("a: &x 1\nb: &x 2\nc: *x\n", "s.yaml").data == {"a": 1, "b": 2, "c": 2}


def test_a_byte_order_mark_is_ignored():
    assert parse_spec("\ufeffa: 1\n", "s.yaml").data == {"a": 1}


def test_a_key_that_looks_like_a_placeholder_is_an_ordinary_key():
    error = refusal('"<key>": 1\nb: 2\n"<key>": 3\n')
    assert at(error) == (3, 1)
    assert "line 1" in str(error)


def test_a_yaml_alias_bomb_is_refused_without_expansion():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    error = refusal("\n".join(lines))
    assert "more than 8,000 keys and values once its aliases are expanded" in str(error)
    assert at(error) == (4, 1)


@pytest.mark.parametrize("text", ["a: &x [1, *x]\n", "a: &x {b: {c: *x}}\n", "a: &x {*x : 1}\n"])
def test_a_recursive_yaml_alias_is_refused(text):
    error = refusal(text)
    assert "inside its own anchor" in str(error)
    assert error.place.line == 1


def test_spec_nesting_is_limited_exactly():
    brackets = DEEPEST_NESTING - 1
    parse_spec(f"a: {'[' * brackets}1{']' * brackets}\n", "s.yaml")
    error = refusal(f"\na: {'[' * (brackets + 1)}1{']' * (brackets + 1)}\n")
    assert at(error) == (2, 4 + brackets + 1)


def test_spec_nesting_is_limited_once_aliases_are_expanded():
    half = DEEPEST_NESTING // 2 + 1
    nested = f"a: &a {'[' * half}1{']' * half}\n"
    parse_spec(f"{nested}b: *a\n", "s.yaml")
    error = refusal(f"{nested}b: {'[' * half}*a{']' * half}\n")
    assert "nested too deeply" in str(error)


@pytest.mark.parametrize("levels", [200, 1_000])
def test_spec_nesting_beyond_pythons_recursion_limit_is_refused(levels):
    error = refusal(f"b: 1\na: {'[' * levels}{']' * levels}\n")
    assert "nested too deeply" in str(error)
    assert error.place.line == 2
    assert error.place.column is not None
    assert error.place.column < 50


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: 1\nb: !!python/object:os.system x\n", (2, 4), "python/object"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", (2, 4), "python/object"),
        ("a: !mine {x: 1}\n", (1, 4), "!mine is not allowed"),
        ("a: !!set {x}\n", (1, 4), "set is not allowed"),
        ("a: !!binary aGk=\n", (1, 4), "binary is not allowed"),
        ("a: !!map x\n", (1, 4), "map is not allowed"),
        ("a: !!str {x: 1}\n", (1, 4), "str is not allowed"),
        ("a: 2020-01-01\n", (1, 4), "'2020-01-01' is a date"),
        ("a: !!bool x\n", (1, 4), "'x' cannot be read as bool"),
        ("a: !!int ''\n", (1, 4), "'' cannot be read as int"),
        ("a: !!float x\n", (1, 4), "'x' cannot be read as float"),
        (f"a: {'9' * 5000}\n", (1, 4), "... cannot be read as int"),
        ("a: 1\n\na: 2\n", (3, 1), "duplicate key 'a': it is already on line 1"),
        ("a: {b: 1, b: 2}\n", (1, 11), "duplicate key 'b'"),
        ("a: 1\n3: 2\n", (2, 1), "3 is not a key"),
        ("a: 1\n? [b]\n: 2\n", (2, 3), "['b'] is not a key"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", (3, 3), "merge keys"),
        ("a: 1\nb: [1, 2\n", (2, 4), "not valid YAML"),
        ("a: 1\n\tb: 2\n", (2, 1), "not valid YAML"),
        ("a: *nothing\n", (1, 4), "not valid YAML"),
        ("a: 1\nb: x\x00\n", (2, 5), "'\\x00' is not a character of YAML"),
        ("a: 1\n---\nb: 2\n", (2, 1), "not valid YAML"),
        ("", (1, 1), "a spec is a mapping"),
        ("# nothing\n", (1, 1), "a spec is a mapping"),
        ("- a\n- b\n", (1, 1), "a spec is a mapping"),
        ("just text\n", (1, 1), "a spec is a mapping"),
    ],
)
def test_invalid_yaml_is_refused_with_its_place(text, place, says):
    error = refusal(text)
    assert at(error) == place
    assert says in str(error)
    assert len(str(error)) < 300
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("%YAML 1.1\n---\na: no\n", (2, 1), "a spec is YAML 1.2, not 1.1"),
        ("a:\n  b: 1\n%YAML 2.0\n---\n", (3, 1), "not valid YAML"),
        ('a: "\\U00110000"\n', (1, 7), "not valid YAML"),
        ('a: "\\ud83d"\n', (1, 4), "'\\ud83d' in '\\ud83d' is no character"),
        ('a: "\\0"\n', (1, 4), "'\\x00' in '\\x00' is no character"),
        (f"a: 0x{'f' * 5000}\n", (1, 4), "more digits than any number here"),
        ("a: 1\rb: 2\rb: 3\r", (3, 1), "duplicate key 'b'"),
        ("a: [1,\n  2\n\n\n", (1, 4), "not valid YAML"),
        ("a: {b: [\n\n", (1, 9), "not valid YAML"),
    ],
)
def test_yaml_features_not_allowed_in_specs_are_refused(text, place, says):
    error = refusal(text)
    assert at(error) == place
    assert says in str(error)


def test_a_json_surrogate_pair_is_read_as_one_character():
    assert parse_spec('a: "\\ud83d\\ude00"\n', "s.yaml").data == {"a": "😀"}


@pytest.mark.slow
def test_the_number_of_spec_values_is_limited_while_reading():
    values = ", ".join(["1"] * (MOST_VALUES - 3))
    assert len(parse_spec(f"a: [{values}]\n", "s.yaml").data["a"]) == MOST_VALUES - 3
    # What follows the first that is too many is not even looked at.
    error = refusal(f"a: [{values}, 1, *nothing, {{\n")
    assert "more than 8,000 keys and values; split the spec" in str(error)


@pytest.mark.parametrize("key", ["x" * 100_000, "a\\nb\\e[2J\\u202e"])
def test_spec_errors_are_one_line_of_bounded_length(key):
    error = refusal(f'? "{key}"\n: 1\n? "{key}"\n: 2\n')
    assert str(error).isprintable()
    assert len(str(error)) < LONGEST_MESSAGE + 50
    assert str(error).endswith("it is already on line 1; keep one")


def test_a_missing_spec_file_error_lists_the_specs_in_its_folder(tmp_path):
    (tmp_path / "table3.yaml").write_text("a: 1\n")
    with pytest.raises(RequestError, match=r"there is no such file; specs there: .*table3\.yaml"):
        read_spec_file(tmp_path / "tabel3.yaml")
    with pytest.raises(RequestError, match=r"there is no such file$"):
        read_spec_file(tmp_path / "nowhere" / "a.yaml")


def test_a_missing_spec_file_error_lists_only_some_of_many_specs(tmp_path):
    for number in range(200):
        (tmp_path / f"spec{number}.yaml").touch()
    with pytest.raises(RequestError) as caught:
        read_spec_file(tmp_path / "missing.yaml")
    assert len(str(caught.value)) < LONGEST_MESSAGE + 200


def test_a_spec_name_too_long_for_the_system_is_one_error_message():
    with pytest.raises(RequestError, match="cannot be read: File name too long"):
        read_spec_file(Path("x" * 5000))


def test_a_folder_given_as_spec_is_refused_listing_its_specs(tmp_path):
    (tmp_path / "table3.yaml").write_text("a: 1\n")
    with pytest.raises(RequestError, match=r"cannot be read: Is a directory; .*table3\.yaml"):
        read_spec_file(tmp_path)


def test_invalid_utf8_is_refused_at_its_first_bad_byte(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes("a: 1\n# größer\n".encode("latin-1"))
    with pytest.raises(SpecError, match="byte 0xf6 is not UTF-8") as caught:
        read_spec_file(path)
    assert at(caught.value) == (2, 5)


def test_spec_file_size_is_limited_exactly(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\n#".ljust(LARGEST_FILE, b"x"))
    assert read_spec_file(path).text.startswith("a: 1\n")
    path.write_bytes(b"a: 1\n#".ljust(LARGEST_FILE + 1, b"x"))
    with pytest.raises(RequestError, match="more than the 250,000 bytes"):
        read_spec_file(path)


def test_an_endless_pipe_as_spec_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    os.mkfifo(path)

    def pour() -> None:
        with path.open("wb") as pipe:
            try:
                while True:
                    pipe.write(b"# more\n" * 1000)
            except BrokenPipeError:
                pipe.raw.close()

    writer = threading.Thread(target=pour, daemon=True)
    writer.start()
    with pytest.raises(RequestError, match="more than the 250,000 bytes"):
        read_spec_file(path)
    writer.join(10)
    assert not writer.is_alive()


def test_override_values_are_parsed_as_in_a_spec():
    assert parse_value("{lambda: -9/5}", "--set") == {"lambda": "-9/5"}
    assert parse_value("1e-3", "--set") == 0.001
    assert parse_value("", "--set") is None
    with pytest.raises(SpecError, match=r"^--set x=\[1: not valid YAML"):
        parse_value("[1", "--set x=[1")
