"""The program where all around it is against it: folders, variables, streams, signals, limits.

Each row is what a user types, in bash. Afterwards the same command, with nothing against it, ends
the sweep with the facts of an undisturbed one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import drivers
from command_line import PROGRAM
from drivers import Driver, Sweep

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(120)]

FUNCTIONS = """
training() { until compgen -G "$SWEEP_HOME/runs/*/1/epoch-*" >/dev/null; do sleep 0.05; done; }
working() { until [ -e "$SWEEP_HOME/runs/drivers" ]; do sleep 0.05; done; }
foreign() { for name; do echo 'raise SystemExit("a foreign module")' > "$name.py"; done; }
"""
"""training: waits until a run has stored an epoch; working: until a driver is at work."""

UNREAD, CLOSE = "until [ -e closed ]; do sleep 0.05; done; exec ", "(exec <&-; echo > closed)"
"""What waits at one end of a pipe until the other end is closed, and what closes it."""

WAITS, END_WAIT = ">(echo $BASHPID > pid; exec sleep 60)", "code=$?; kill $(<pid); exit $code"
STALL = f"exec 3> {WAITS}; head -c 65536 /dev/zero >&3"
"""A pipe whose reader is there and does not read; one that is also full."""

LEAVES = "--set trainer=fake_trainers:leaves"
END = "2> log & until grep -q 'ask it' log; do sleep 0.05; done"
FILE, BACK = "mv runs away; echo > runs", "code=$?; rm runs; mv away runs; exit $code"

NOT_UTF8 = "SWEEP_HOME=$'h\\xff'"

RESTORED = (
    "wait $!; code=$?; sweep db restore $SWEEP_HOME/sweep.db.rescued-* || code=99; exit $code"
)
IN_USE = "while it was in use; all that was in it is in"

TERMINAL = 'script -qc "$RUN" /dev/null </dev/null >/dev/null'
ENDED = "flock -w 30 $SWEEP_HOME/sweep.db.driver.lock true"
ANSWERS = "specs --help status report 'db current' 'compare survivor --table zerosnet/table3'"
UNWRITTEN = "sweep $what >/dev/full; [ $? = 3 ] || exit 9"

LONG = "/".join(["a long name" * 15] * 5)


@dataclass(frozen=True)
class Row:
    """One surrounding.

    Attributes:
        script: what is typed; $RUN, $PLAN, $REPORT and $STATUS are commands about one sweep, and
            SWEEP_HOME names its home.
        code: its exit code, or those that it may have.
        says: what it must tell, anywhere.
    """

    name: str
    script: str
    code: int | tuple[int, ...] = 0
    says: str = ""


FOLDERS = [
    Row("current folder deleted", "mkdir gone; cd gone; rmdir ../gone; $RUN", 3, "current folder"),
    Row("home is not UTF-8", f"{NOT_UTF8} $RUN && {NOT_UTF8} $REPORT", says="4 runs"),
    Row("~ after =", "HOME=$PWD $RUN && HOME=$PWD $REPORT --output=~/text && cat text", says="±"),
    Row("home is empty", "$RUN --home ''", 2, "is it a variable that is not set?"),
    Row("output is empty", "$RUN && $REPORT --output ''", 2, "a variable that is not set?"),
    Row("current folder cannot be written", "cd /proc; $RUN"),
    Row("home cannot be made", "SWEEP_HOME=/proc/home $RUN", 3, "/proc/home"),
    Row("home is a file", "echo > file; SWEEP_HOME=file $RUN", 3, "file"),
    Row("home below a file", "echo > file; SWEEP_HOME=file/home $RUN", 3, "file/home"),
    Row(
        "home is a link", "mkdir real; ln -s real link; SWEEP_HOME=link $RUN; test -e real/sweep.db"
    ),
    Row(
        "home is a dangling link",
        "ln -s nowhere link; SWEEP_HOME=link $RUN",
        says="4 of 4 runs done",
    ),
    Row(
        "odd characters", """f=$' \\'"%41?#&;é\u4e2d'; mkdir "$f"; cd "$f"; SWEEP_HOME="$f" $RUN"""
    ),
    Row("home in a deleted folder", "mkdir g; cd g; rmdir ../g; SWEEP_HOME=h $RUN", (2, 3), "h"),
    Row("very long path", f"SWEEP_HOME='{LONG}' $RUN", (0, 3)),
    Row("storage is a file", "echo > file; $RUN --storage file", (2, 3), "file"),
    Row("storage below a file", "echo > file; $RUN --storage file/x", (2, 3), "file/x"),
    Row("database is a folder", "mkdir d; $RUN --db sqlite:///d", 3, "d is a folder"),
    Row("modules of Python", "foreign gzip timeit random statistics json; $RUN"),
    Row("our modules", "foreign sweeper trainers results sweep_plugins numpy; $RUN"),
    Row("they are searched first", "foreign timeit results; PYTHONPATH=.:$PYTHONPATH $RUN"),
    Row("storage becomes a file", f"$RUN & training; cd $SWEEP_HOME; {FILE}; wait $!; {BACK}", 3),
    Row(
        "database is deleted",
        f"$RUN & training; rm $SWEEP_HOME/sweep.db*; {RESTORED}",
        3,
        f"was deleted {IN_USE}",
    ),
    Row(
        "database is replaced",
        f"$RUN & training; echo > new; mv new $SWEEP_HOME/sweep.db; {RESTORED}",
        3,
        f"was replaced by another file {IN_USE}",
    ),
    Row(
        "database is cut short",
        "$RUN & training; : > $SWEEP_HOME/sweep.db; wait $!; code=$?;"
        " rm $SWEEP_HOME/sweep.db*; sweep db rebuild || code=99; exit $code",
        3,
        "was cut short while it was in use",
    ),
    Row("database is deleted afterwards", "$RUN; rm $SWEEP_HOME/sweep.db; sweep db rebuild"),
    Row("spec is a folder", "mkdir spec; sweep run spec", 2, "spec"),
]
VARIABLES = [
    Row("language C", "LANG=C LC_ALL=C $RUN"),
    Row("language unknown", "LANG=xx_YY.UTF-8 LC_ALL=xx_YY $RUN"),
    Row("ASCII only", "PYTHONUTF8=0 PYTHONIOENCODING=ascii:strict $RUN && $REPORT"),
    Row("TERM=dumb", "TERM=dumb $RUN"),
    Row("no TERM", "env -u TERM $RUN"),
    Row("colours forced", "FORCE_COLOR=1 CLICOLOR_FORCE=1 PY_COLORS=1 $RUN && $STATUS"),
    Row("narrow", "COLUMNS=1 LINES=1 $RUN && $STATUS"),
    Row("width is no number", "COLUMNS=wide $RUN && $STATUS"),
    Row("no HOME", "env -u HOME $RUN"),
    Row("HOME is nowhere", "HOME=/nowhere $RUN"),
    Row("TMPDIR is nowhere", "TMPDIR=/nowhere $RUN"),
    Row("TMPDIR is long", f"mkdir -p '{LONG}'; TMPDIR=\"$PWD/{LONG}\" $RUN"),
    Row(
        "a notebook's backend",
        "$RUN && MPLBACKEND=module://of_a_notebook $REPORT --html page.html",
        says="page.html",
    ),
    Row("other hashes", "PYTHONHASHSEED=4711 $RUN"),
    Row("no hashes", "PYTHONHASHSEED=0 $RUN"),
    Row("warnings are errors", "PYTHONWARNINGS=error $RUN"),
    Row("no assertions", "PYTHONOPTIMIZE=2 $RUN"),
    Row("no bytecode", "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 $RUN"),
    Row("no programs", "PATH=/nowhere $RUN"),
    Row("time zone is nonsense", "TZ=Nowhere/Land $RUN && $STATUS"),
    Row("threads are nonsense", "OMP_NUM_THREADS=many MKL_NUM_THREADS=-1 $RUN"),
    Row("umask is nonsense", "SWEEP_UMASK=rw $RUN", 2, "SWEEP_UMASK=rw"),
    Row("umask takes everything", "umask 777; $RUN"),
    Row("storage has a key", "SWEEP_STORAGE=s3:/key:x@bucket $RUN", 2, "looks like a password"),
    Row("database is nonsense", "SWEEP_DB=nonsense $RUN", 2, "not a database URL"),
    Row("almost no variables", "env -i SWEEP_HOME=$SWEEP_HOME PYTHONPATH=$PYTHONPATH $RUN"),
]
STREAMS = [
    Row("stdin closed", "$RUN <&-"),
    Row("stdout closed", "$RUN >&-"),
    Row("stderr closed", "$RUN 2>&-"),
    Row("all closed", "$RUN <&- >&- 2>&-"),
    Row("full disk behind stderr", "$RUN 2>/dev/full"),
    Row("full disk behind both", "$RUN >/dev/full 2>&1"),
    Row("head", "$RUN 2>&1 | head -2; exit ${PIPESTATUS[0]}", says="0 of 4 done"),
    Row("nobody reads", "$RUN 2>&1 | true; exit ${PIPESTATUS[0]}"),
    Row(
        "a reader that waits",
        f"$RUN 2> {WAITS}; {END_WAIT}",
    ),
    Row("a reader that stopped", f"{STALL}; $RUN 2>&3; {END_WAIT}"),
    Row("stopped, and a thread goes on", f"{STALL}; $RUN {LEAVES}_a_thread 2>&3; {END_WAIT}"),
    Row(
        "stopped, and SIGTERM", f"{STALL}; $RUN 2>&3 & training; kill $!; wait $!; {END_WAIT}", 130
    ),
    Row("answer to nobody", f"$RUN && ({UNREAD}$REPORT) | {CLOSE}; exit ${{PIPESTATUS[0]}}", 141),
    Row(
        "help to nobody", f"$RUN && ({UNREAD}sweep --help) | {CLOSE}; exit ${{PIPESTATUS[0]}}", 141
    ),
    Row("answer to a full disk", "$RUN && $REPORT >/dev/full", 3, "could not be written to stdout"),
    Row("answer to nowhere", "$RUN && $REPORT >&-", 3, "could not be written to stdout"),
    Row("answer to a full file", "$RUN && $REPORT --output /dev/full", 3, "No space left"),
    Row("help to a full disk", "$RUN && sweep run --help >/dev/full", 3, "written to stdout"),
    Row("every answer to a full disk", f"$RUN; for what in {ANSWERS}; do {UNWRITTEN}; done"),
    Row("failure to a full disk", "sweep run nowhere 2>/dev/full", 2),
]
SIGNALS = [
    *(
        Row(f"SIG{name}", f"$RUN & training; kill -{name} $!; wait $!", 130, "sweep resume")
        for name in ("INT", "TERM", "HUP", "USR1", "USR2")
    ),
    Row("SIGTERM twice", "$RUN & training; kill $!; kill $!; wait $!", 130, "sweep resume"),
    Row(
        "SIGINT twice", "$RUN & training; kill -INT $!; kill -INT $!; wait $!", 130, "sweep resume"
    ),
    Row("SIGHUP, then SIGTERM", "$RUN & training; kill -HUP $!; kill $!; wait $!", 130, "resume"),
    Row("SIGTERM as it starts", "$RUN & sleep 0.3; kill $!; wait $!", (130, 143)),
    Row("SIGTERM as it begins", "$RUN & working; kill $!; wait $!", 130, "sweep resume"),
    Row("nohup", "nohup $RUN & training; kill -HUP $!; wait $!"),
    # SIGSTOP, since SIGTSTP does nothing to a process that no shell controls.
    Row("Control-Z", "$RUN & training; kill -STOP $!; sleep 1; kill -CONT $!; wait $!"),
    Row("Control-Z as it begins", "$RUN & working; kill -STOP $!; sleep 1; kill -CONT $!; wait $!"),
    Row("a thread goes on", f"$RUN {LEAVES}_a_thread", says="left running: endless thread"),
    Row("a process goes on", f"$RUN {LEAVES}_a_process", says="left running: endless process"),
    Row(
        "SIGTERM while a thread goes on", f"$RUN {LEAVES}_a_thread {END}; kill $!; kill $!; wait $!"
    ),
    Row("terminal closed", f"{TERMINAL} & training; kill -9 $!; {ENDED}; $STATUS", says="stopped"),
    Row("killed", "$RUN & training; kill -KILL $!; wait $!; $STATUS", says="; it is gone"),
]
LIMITS = [
    Row("few open files", "ulimit -n 40; $RUN"),
    Row("hardly any open files", "ulimit -n 12; $RUN", (0, 1, 3)),
    Row("small files", "ulimit -f 40; $RUN", (0, 1, 3)),
    Row("little memory", "ulimit -v 400000; $RUN", (0, 1, 3)),
    Row("small stack", "ulimit -s 1024; $RUN"),
    Row("one CPU", "taskset -c 0 $RUN"),
    Row("low priority", "nice -n 19 $RUN"),
    Row("little time", "ulimit -St 1; $RUN", (0, 152, -24)),
]
# The whole group, as a terminal and a scheduler do.
RAY = [
    Row("modules, on Ray", "foreign gzip timeit trainers numpy; $ON_RAY"),
    Row("SIGHUP, on Ray", "setsid $ON_RAY & training; kill -HUP -- -$!; wait $!", 130, "resume"),
    Row(
        "Control-Z, on Ray",
        "setsid $ON_RAY & training; kill -STOP -- -$!; sleep 3; kill -CONT -- -$!; wait $!",
    ),
]
ROWS = [
    *(pytest.param(row, id=row.name) for row in FOLDERS + VARIABLES + STREAMS + SIGNALS + LIMITS),
    *(pytest.param(row, id=row.name, marks=pytest.mark.ray) for row in RAY),
]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return drivers.write_spec(
        tmp_path_factory.mktemp("spec"), runs=4, epochs=4, trainer="fake_trainers:light"
    )


@pytest.fixture(scope="module")
def undisturbed(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    with Driver(sweep.spec, home) as driver:
        driver.finish()
    return dict(drivers.facts(drivers.database_of(home)))


@pytest.fixture(autouse=True)
def _hang_ups_are_heard() -> Iterator[None]:
    """Also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def type_in(script: str, folder: Path, spec: Path) -> subprocess.CompletedProcess[bytes]:
    """In bash, in this folder; the home is the folder `home` there."""
    variables = {
        "SWEEP_HOME": str(folder / "home"),
        "RUN": f"{PROGRAM} run {spec} --executor inline",
        "ON_RAY": f"{PROGRAM} run {spec}",
        "REPORT": f"{PROGRAM} report {drivers.NAME}",
        "STATUS": f"{PROGRAM} status {drivers.NAME}",
        "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "-c", FUNCTIONS + script],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


def assert_is_plain(said: bytes) -> None:
    """Sentences for a user: nothing of Python, nothing that a terminal obeys."""
    text = said.decode(errors="replace")
    assert "Traceback" not in text, text
    assert "Exception ignored" not in text, text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), repr(text)


@pytest.mark.parametrize("row", ROWS)
def test_nothing_is_lost(
    row: Row, sweep: Sweep, undisturbed: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long where the moment counts.
    watched = any(f"{word};" in row.script for word in ("training", "working"))
    monkeypatch.setenv("EPOCH_SECONDS", "0.3" if watched else "0.01")
    done = type_in(row.script, tmp_path, sweep.spec)
    said = done.stdout + done.stderr
    assert_is_plain(said)
    codes = row.code if isinstance(row.code, tuple) else (row.code,)
    assert done.returncode in codes, said.decode(errors="replace")
    assert row.says in said.decode(errors="replace")

    home = tmp_path / "home"
    with Driver(sweep.spec, home) as driver:
        driver.finish()
    drivers.assert_same(drivers.facts(driver.db), undisturbed)
    drivers.assert_trained_once(driver.db, {})
