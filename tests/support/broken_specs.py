"""Specs made from the grammar and then broken: first what they say, then how it is written.

Every choice is drawn from hypothesis, so that a failing spec shrinks, and so that a coverage-guided
fuzzer can steer the same choices (tests/fuzz/fuzz_specs.py).
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Raw:
    """YAML that is written as it stands."""

    text: str


KEYS = [
    "name",
    "description",
    "published",
    "model",
    "depth",
    "scheme",
    "seed",
    "dataset",
    "precision",
    "probes",
    "training",
    "trainer",
    "grid",
    "zip",
    "include",
    "exclude",
    "evaluations",
    "resources",
    "faults",
    "files",
    "max_bytes",
    "max_count",
    "epochs",
    "batch_size",
    "optimizer",
    "lr",
    "momentum",
    "weight_decay",
    "nesterov",
    "lr_schedule",
    "milestones",
    "gamma",
    "subset",
    "crop_padding",
    "horizontal_flip",
    "folder",
    "size",
    "classes",
    "images",
    "content",
    "mean",
    "width",
    "start_blocks",
    "stage_change",
    "alpha",
    "beta",
    "k",
    "lambda",
    "trainable",
    "learned",
    "start",
    "noise",
    "low",
    "high",
    "std",
    "value",
    "mu",
    "attack",
    "epsilon",
    "step",
    "steps",
    "restarts",
    "random_start",
    "cpus",
    "gpus",
    "trainer_error",
    "out_of_memory",
    "worker_lost",
    "hung",
    "probe",
    "every",
    "by_class",
    "batch_sizes",
    "unreachable",
    "attempts",
    "seconds",
    "model.depth",
    "depth.x",
    "training.epochs",
    "training.optimizer.lr",
    "dataset.subset",
    "model.width",
    "recipe_version",
    "<key>",
    "<<",
]

# What people write by mistake, and what only a fuzzer would.
ODD_SCALARS = [
    None, True, False, 0, -1, 1, 2, 20, 32, 33, 2**31, 2**53, 2**63, 10**20, 10**400, -(10**400),
    0.0, -0.0, 0.1, 1e-320, 1e308, math.inf, -math.inf, math.nan,
    "", " ", "5/9", "1/0", "-9/5", "0/1", "1/1000000000000000000", "1e-3", "nan", "inf", "null",
    "zerosnet", "lm_resnet", "preresnet", "tm_resnet", "digits", "cifar10", "sgd", "step", "bf16",
    "gaussian", "runtime", "uniform", "constant", "zerosnet/table3", "fake_trainers:quick", "a:b",
    "os:system", "../../etc/passwd", "/etc/passwd", "~", "~root", "CON", "nul.txt", "name.",
    ".hidden", "-rf",
    "a\nb", "a\tb", "\x1b[31m", "\u202e", "\ufeff", "é", "ключ", "𝛼", "五", "\u2028", "x" * 300,
    "$(id)", "`id`", "%s%n", "{0}", "' OR 1=1 --", "<script>",
]  # fmt: skip
ODD_YAML = [
    Raw(text)
    for text in [
        "2020-01-01", "2001-12-14t21:59:43.10-05:00", "0o777", "0x" + "f" * 20, "0x" + "f" * 5000,
        "0b" + "1" * 20000, "1e999999", "-1e999999", "1_000", "1:30", "9" * 5000, "." + "9" * 5000,
        ".inf", ".NaN", "!!python/object/apply:os.system [id]", "!!python/name:os.system", "!x y",
        "!!set {a, b}", "!!omap [a: 1]", "!!binary aGk=", "!!int x", "!!int ''", "!!float []",
        "!!str 5", "!!null x", "!!bool maybe", "!!timestamp x", "!!map x", "!!merge x", "!<x> y",
        "&a [*a]", "&a {b: *a}", "&a {*a : 1}", "*nothing", "&a", "&a &b 1", "*a", "&a 1",
        "{<<: {a: 1}}", "{<<: *a}", "{? [a, b] : 1}", "{1: 2}", "{null: 1}", "{a: 1, a: 2}",
        "{a: 1, 'a': 2}", "[1, 2", "{a: 1", "]", "}", "'", '"', '"\\x"', '"\\ud800"', '"\\0"',
        '"\\U00110000"', '"\\N{DASH}"', "|", ">", "|9\n x", "- 1", "? a", ": a", "@a", "`a", "%a",
        "#a", "a: b: c", "[,]", "{,}", "[a: b, c]", "[[]]" , "[" * 30 + "]" * 30, "[" * 60,
        "{a: " * 60, "[" * 500 + "]" * 500, "[" + "1," * 300 + "]", "x" * 5000, "x " * 2000,
        "[" + "{lambda: 1}," * 50 + "]", "{" + ",".join(f"k{i}: 1" for i in range(100)) + "}",
    ]
]  # fmt: skip
ODD_TEXT = [
    "\t", "\0", "\x07", "\x1b", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe",
    "\r", "\r\n", "\n", "\n\n", " ", "  ", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#",
    " #", "&a ", "*a", "!!", "!", "|", ">", "'", '"', "%", "%YAML 1.1\n---\n", "%YAML 2.0\n---\n",
    "%TAG ! tag:x,2000:\n---\n", "---\n", "...\n", "<<: ", "\\", "~", "=", "٣", "𝟙",
]  # fmt: skip

odd_scalars = st.one_of(
    st.sampled_from(ODD_SCALARS),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(KEYS),
)
keys = st.sampled_from(KEYS) | st.text(max_size=6)
odd_values = st.recursive(
    odd_scalars | st.sampled_from(ODD_YAML),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def _some(**entries: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of these keys."""
    return st.fixed_dictionaries({}, optional=entries)


numbers = st.sampled_from([0.1, "1/3", "5/9", 1, -0.5, 2])
schemes = st.one_of(
    st.fixed_dictionaries(
        {"alpha": st.lists(numbers, min_size=1, max_size=4)},
        optional={"beta": numbers, "trainable": st.booleans()},
    ),
    st.fixed_dictionaries({"lambda": numbers}, optional={"trainable": st.booleans()}),
    st.fixed_dictionaries({"k": numbers}, optional={"trainable": st.booleans()}),
)
models = st.sampled_from(["zerosnet", "preresnet", "lm_resnet", "tm_resnet"])
depths = st.sampled_from([20, 32, 44])
datasets = (
    st.sampled_from(["digits", "mnist"])
    | st.fixed_dictionaries(
        {"name": st.sampled_from(["digits", "mnist"])},
        optional={"subset": st.just(100), "crop_padding": st.just(2)},
    )
    | st.fixed_dictionaries(
        {
            "name": st.just("image_folder"),
            "folder": st.sampled_from(["pets", "more/pets"]),
            "size": st.just(16),
            "classes": st.sampled_from([["cat", "dog"], 2]),
        },
        optional={"subset": st.just(100), "mean": st.just("1/2")},
    )
)
trainings = _some(
    epochs=st.integers(1, 9),
    batch_size=st.sampled_from([2, 128]),
    optimizer=_some(lr=numbers.filter(lambda n: n != -0.5), momentum=st.just(0.5)),
    lr_schedule=_some(milestones=st.just(["1/2", 0.75]), gamma=st.just(0.1)),
    label_smoothing=st.just("1/10"),
    accumulation=st.just(2),
)
probes = st.lists(
    st.sampled_from(
        [
            "feature_norms",
            {"probe": "principal_angles", "every": 2, "by_class": True},
            {"probe": "runtime", "batch_sizes": [4, 128]},
        ]
    ),
    max_size=2,
)
evaluations = st.lists(
    st.sampled_from(
        [
            {"noise": "gaussian", "std": 0.1},
            {"noise": "uniform", "low": -0.1, "high": "1/10"},
            {"noise": "constant", "value": 0.3},
            {"attack": "fgsm", "epsilon": "8/255"},
            {"attack": "pgd", "epsilon": 0.3, "steps": 40},
        ]
    ),
    max_size=2,
    unique_by=str,
)
axes: st.SearchStrategy[dict[str, list[Any]]] = _some(
    **{
        "scheme": st.lists(schemes, min_size=1, max_size=3, unique_by=str),
        "seed": st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        "training.optimizer.lr": st.just([0.1, "1/20"]),
        "model": st.just(["zerosnet", {"name": "zerosnet", "width": 8}]),
    }
)
sound_specs: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"model": models, "depth": depths, "dataset": datasets},
    optional={
        "name": st.sampled_from(["s", "table_3", "2.0-rc"]),
        "description": st.just("what it is for"),
        "published": st.just("zerosnet/table3"),
        "scheme": schemes,
        "seed": st.integers(0, 9),
        "precision": st.sampled_from(["fp32", "bf16"]),
        "trainer": st.just("trainers.train:train"),
        "training": trainings,
        "grid": axes,
        "zip": st.just({"training.epochs": [1, 2], "training.batch_size": [4, 8]}),
        "include": st.just([{"seed": 77}]),
        "exclude": st.just([{"depth": 20}]),
        "probes": probes,
        "evaluations": evaluations,
        "resources": st.just({"cpus": 2, "gpus": "1/4"}),
        "files": st.just({"max_bytes": "1.5GiB", "max_count": 3}),
        "faults": st.just({"hung": {"seconds": 60}, "worker_lost": {"attempts": 2}}),
    },
)


@st.composite
def broken_data(draw: st.DrawFn) -> dict[str, Any]:
    """A sound spec with up to four of its parts changed."""
    spec: dict[str, Any] = copy.deepcopy(draw(sound_specs))
    for _ in range(draw(st.integers(0, 4))):
        _break(draw, spec)
    return spec


def _break(draw: st.DrawFn, spec: dict[str, Any]) -> None:
    holder, key = draw(st.sampled_from(_slots(spec)))
    match draw(st.sampled_from(["replace", "remove", "rename", "add", "wrap", "swap", "bury"])):
        case "replace":
            holder[key] = draw(odd_values)
        case "remove":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[draw(keys)] = holder.pop(key)
        case "rename" | "add":
            if isinstance(holder, dict):
                holder[draw(keys)] = draw(odd_values)
            else:
                holder.insert(key, draw(odd_values))
        case "wrap":
            holder[key] = [holder[key]] if draw(st.booleans()) else {draw(keys): holder[key]}
        case "swap":
            other, name = draw(st.sampled_from(_slots(spec)))
            holder[key] = copy.deepcopy(other[name])
        case "bury":
            for _ in range(draw(st.sampled_from([5, 50]))):
                holder[key] = [holder[key]]


def _slots(node: Any) -> list[tuple[Any, Any]]:
    """Every (mapping or list, key or position) at any depth."""
    found: list[tuple[Any, Any]] = []
    open_nodes = [node]
    while open_nodes:
        holder = open_nodes.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                open_nodes.append(holder[key])
    return found or [({"": None}, "")]


def flow(value: Any) -> str:
    """The value as YAML in one line."""
    match value:
        case Raw(text):
            return text
        case dict():
            return "{" + ", ".join(f"{flow(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case float():
            return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
        case str() if value.isidentifier() and value.isascii():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
    return json.dumps(value)


def block(value: Any, indent: str = "") -> str:
    """The value as YAML in lines."""
    match value:
        case dict() if value:
            return "".join(
                f"\n{indent}{flow(str(key))}:{block(item, indent + '  ')}"
                for key, item in value.items()
            )
        case list() if value:
            return "".join(f"\n{indent}-{block(item, indent + '  ')}" for item in value)
    return f" {flow(value)}"


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A broken spec as text, broken a second time as text."""
    data = draw(broken_data())
    text = (block(data).lstrip("\n") if draw(st.booleans()) else flow(data)) + "\n"
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        text = _break_text(draw, text)
    return text


def _break_text(draw: st.DrawFn, text: str) -> str:
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 10, 100])))
    match draw(st.sampled_from(["insert", "cut", "end", "repeat", "lines", "double", "anchor"])):
        case "insert":
            return text[:start] + draw(st.sampled_from(ODD_TEXT)) + text[end:]
        case "cut":
            return text[:start] + text[end:]
        case "end":
            return text[:start]
        case "repeat":
            return text[:start] + text[start:end] * draw(st.sampled_from([2, 3, 50])) + text[end:]
        case "lines":
            return text.replace("\n", draw(st.sampled_from(["\r\n", "\r", "\n\n", "\n\t", " \n"])))
        case "double":
            lines = text.splitlines(keepends=True) or [""]
            at = draw(st.integers(0, len(lines) - 1))
            return "".join([*lines[: at + 1], *lines[at:]])
    return text.replace(": ", ": &a ", 1) + "again: *a\n"


@st.composite
def broken_files(draw: st.DrawFn) -> bytes:
    """A broken spec as bytes, mostly in UTF-8."""
    text = draw(broken_texts())
    encoding = "utf-8"
    if draw(st.integers(0, 19)) == 19:
        encoding = draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "latin-1"]))
    content = text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")
    if draw(st.integers(0, 19)) == 19:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(min_size=1, max_size=4)) + content[at:]
    return content


@st.composite
def broken_overrides(draw: st.DrawFn) -> str:
    """What follows `--set`: PATH=VALUE, and what looks like it."""
    path = ".".join(draw(st.lists(keys | st.just("grid"), min_size=1, max_size=4)))
    value = flow(draw(odd_values))
    form = draw(st.sampled_from(["{p}={v}", "{p}={v}", "grid.{p}=[{v}]", "zip.{p}=[{v}, {v}]",
                                 "{p} = {v}", "{p}", "={v}", "{p}={p}={v}", "{v}"]))  # fmt: skip
    override = form.format(p=path, v=value)
    if draw(st.integers(0, 4)) == 4:
        override = _break_text(draw, override)
    # What a shell hands over holds no NUL.
    return override.replace("\0", "")
