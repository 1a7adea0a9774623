"""Questions to the database as one types them, right ones and broken ones: arguments of `sweep`."""

from __future__ import annotations

from hypothesis import strategies as st

SWEEP = "asked"
EVALUATION = "gaussian[0.1]"

_NAMES = f"""
run_id sweep state model scheme depth dataset seed alpha beta trainable root_moduli zero_stable
max_root_modulus consistent order parameters epochs test_accuracy best_test_accuracy train_accuracy
generalization_gap diverged train_seconds images_per_second attempts evaluations config error
training training.epochs training.optimizer.lr training.optimizer training.lr_schedule.milestones
model.width model.name scheme.alpha scheme.learned {EVALUATION} uniform[-0.1,0]
""".split()
_ODD_NAMES = [
    "", " ", ".", "..", "a..b", "model.", ".model", "*", "%", "?", "[0]", "alpha[0]", "alpha.0",
    "scheme.alpha.0", "$", "$.seed", '"', "'", "\\", "`", "model.'", 'model."x"', "a\nb", "a\tb",
    "\x1b[31m", "\udcff", "\u2028", "é", "ключ", "depth,seed", "depth,,seed", "depth, seed", ",",
    "'; DROP TABLE runs; --", "1 OR 1=1", "x" * 3000, "a." * 1000 + "a", "rowid", "_rowid_", "*1",
    "../../etc/passwd", "/etc/passwd", "~", "null", "None", "true", "-h", "--", "depth=", "<", "=",
]  # fmt: skip
_ODD_VALUES = [
    "", " ", "null", "true", "false", "True", "yes", "0", "1", "20", "-0.0", "5/9", "1/0", "0/1",
    "1e-4", "1e999", "1e-999999999", "nan", "inf", "-inf", "9" * 5000, f"{'9' * 400}/1", "0x10",
    f"{2**63}", f"-{2**63}", f"{2**53 + 1}", "1_000", "٣", "½", "1e", "--1", "+1", " 1 ", "1,", "[",
    "[1, 2", "[1/3, 5/9]", "[[1]]", "{}", "[" * 5000, "zerosnet", "'zerosnet'", '"zerosnet"', "%",
    "\udcff", "\ud800", "x" * 5000, "a\nb", "\x1b[2J", "' OR '1'='1", "1; DROP TABLE runs",
]  # fmt: skip

# What a command line can hold: no NUL.
_texts = st.text(max_size=6).map(lambda text: text.replace("\0", ""))
names = st.sampled_from(_NAMES) | st.sampled_from(_ODD_NAMES) | _texts
values = (
    st.sampled_from(_ODD_VALUES)
    | _texts
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.fractions().map(str)
)
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="] * 2 + ["==", "=<", "<>", "~", "", " = "])
filters = st.builds("{}{}{}".format, names, signs, values)
sweeps = st.sampled_from([SWEEP] * 4) | names
run_ids = st.sampled_from(["0", "f", "ff", "%", "_", "*", "0" * 16]) | names


def _options(option: str, of: st.SearchStrategy[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(of.map(lambda value: f"--{option}={value}"), max_size=most)


def _command(
    name: str, options: list[st.SearchStrategy[list[str]]], arguments: st.SearchStrategy[list[str]]
) -> st.SearchStrategy[list[str]]:
    return st.builds(
        lambda given, last: [name, *(option for one in given for option in one), "--", *last],
        st.tuples(*options),
        arguments,
    )


_formats = st.sampled_from(["table", "json", "csv", "markdown", "latex", "html"]) | names
_where = _options("where", filters, 2)
_metrics = _options("metric", names, 2)
_any_sweep = st.lists(sweeps, max_size=1)
_one_sweep = st.lists(sweeps, min_size=1, max_size=1)

questions: st.SearchStrategy[list[str]] = st.one_of(
    _command(
        "report",
        [_options("group-by", names, 2), _where, _metrics, _options("format", _formats, 1)],
        st.lists(sweeps, max_size=2),
    ),
    _command("report", [_options("test", names, 1), _where, _metrics], _any_sweep),
    _command(
        "report",
        [_options("rows", names, 1), _options("columns", names, 1), _where, _metrics],
        _any_sweep,
    ),
    _command("compare", [_options("table", names, 1), _options("accuracy", names, 1), _where],
             _one_sweep),
    _command("show", [_options("format", _formats, 1)], st.lists(run_ids, min_size=1, max_size=1)),
    _command("status", [_options("format", _formats, 1)], _any_sweep),
    _command("plot", [_options("metric", names, 1), _where, _options("format", names, 1)],
             st.tuples(st.just("no such sweep") | names, names).map(list)),
)  # fmt: skip
