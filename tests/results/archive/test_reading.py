from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

import archives
import databases
import schema_0004
from results.archive.reading import open_archive
from results.database import migrations
from results.database.url import sqlite_url
from results.errors import ArchiveError, BadArchiveError, DatabaseError
from results.queries.queries import Queries
from results.schema import revisions
from results.schema.archive_note import content_sha256
from results.store.store import Store

DONE, FAILED, RUNNING, QUEUED = (f"{number:016x}" for number in (1, 2, 3, 4))


@pytest.fixture(scope="module")
def source(make, tmp_path_factory):
    """A database with a done, a failed and a running run, in two sweeps."""
    place = tmp_path_factory.mktemp("sound")
    url = f"sqlite:///{place}/results.db"
    with Store.open(url) as store:
        evaluation = make.evaluation(1)
        make.save(store, "one", make.runs(4), [evaluation])
        make.save(store, "two", make.runs(2), [evaluation])
        make.finish(
            store, make.run(1), evaluations=[make.measured(evaluation, 70.0)],
            probes=[make.probe(epoch=0), make.probe()], blocks=[make.block(1), make.block(2)],
        )  # fmt: skip
        store.claim(FAILED, provenance={})
        store.fail(FAILED, 1, "ValueError: no", "Traceback ...")
        store.claim(RUNNING, provenance={})
    archives.export_from(url, place / "archive.db")
    return place


@pytest.fixture
def path(source, tmp_path):
    """A copy of its archive that a test may damage."""
    return shutil.copy(source / "archive.db", tmp_path / "archive 100%.db")


def refused(path, match, error=BadArchiveError):
    with pytest.raises(error, match=match) as raised, open_archive(path):
        pytest.fail("it was opened")
    assert str(path) in str(raised.value)


def facts(archive):
    found = [(r["run_id"][-1], [a["state"] for a in t]) for r, t in archive.runs_with_attempts()]
    return archive.sweeps, found


SOUND = (("one", "two"), [("1", ["done"]), ("2", ["failed"]), ("3", ["running"]), ("4", [])])


def test_a_sound_archive_can_be_opened(path):
    with open_archive(path) as archive:
        assert facts(archive) == SOUND
        run, _ = next(archive.runs_with_attempts())
    assert run["config"]["model"] == {"name": "zerosnet", "width": 16}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_any_sweep_database_file_can_be_opened_as_an_archive(source):
    with open_archive(source / "results.db") as archive:
        assert facts(archive) == SOUND
        assert archive.exported_at == pytest.approx((source / "results.db").stat().st_mtime)


def test_a_database_in_use_can_be_opened_as_an_archive(source, tmp_path, make):
    path = tmp_path / "results.db"
    shutil.copy(source / "results.db", path)
    with Store.open(sqlite_url(path)) as store, store.driving():
        with open_archive(path) as archive:
            make.finish(store, make.run(4))
            assert facts(archive) == SOUND
        with open_archive(path) as archive:
            assert facts(archive)[1][3] == ("4", ["done"])


@pytest.mark.slow
def test_merging_a_database_into_itself_is_refused(source, tmp_path):
    path = tmp_path / "results.db"
    shutil.copy(source / "results.db", path)
    before = databases.content(sqlite_url(path))
    with pytest.raises(BadArchiveError, match="it is the database itself"):
        archives.import_into(sqlite_url(path), path)
    assert databases.content(sqlite_url(path)) == before


def test_an_archive_can_be_queried_but_not_written(path):
    before = path.read_bytes()
    with archives.viewing(sqlite_url(path)):
        pass
    with pytest.raises(DatabaseError, match=r"is an archive.*'sweep import'"):
        Store.open(sqlite_url(path))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_files_that_are_no_archive_are_refused(tmp_path):
    refused(tmp_path, "it is no file")
    refused(tmp_path / "missing", "No such file")
    (tmp_path / "text").write_text("hello")
    refused(tmp_path / "text", "no SQLite file")
    (tmp_path / "empty").write_text("")
    refused(tmp_path / "empty", "no SQLite file")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (id)")
    refused(tmp_path / "other.db", "not a sweep database", ArchiveError)
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is no file")


@pytest.mark.parametrize(("revision", "says"), [("9999", "newer version"), ("0002", "before the")])
def test_an_archive_of_another_schema_is_refused_with_the_fix(path, revision, says):
    archives.change(path, f"UPDATE {revisions.VERSION_TABLE} SET version_num = '{revision}'")
    refused(path, rf"nothing was imported.*schema (is )?{revision}.*{says}", ArchiveError)


def test_a_changed_value_is_detected_by_the_content_hash(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE epochs SET seconds = 1.26 WHERE epoch = 2")
    refused(path, "changed after it was written: copy it again")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sweep_archive SET created_at = 9e999",
        "UPDATE sweep_archive SET created_at = 'x'",
        "UPDATE sweep_archive SET created_at = x'01'",
        "UPDATE sweep_archive SET content_sha256 = x'01'",
        "INSERT INTO sweep_archive SELECT * FROM sweep_archive",
        "DELETE FROM sweep_archive",
    ],
)
def test_an_archive_note_without_time_or_hash_is_refused(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    refused(path, "its table sweep_archive has not one row with a time and a hash")


def test_an_archive_from_before_all_time_is_refused(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sweep_archive SET created_at = -1")
    refused(path, "it was written at -1 s, which is no time")


def test_secrets_in_what_an_archive_says_of_places_are_left_out(path, tmp_path):
    url = "s3://key:hunter2@bucket/runs"
    archives.change(
        path,
        f"UPDATE attempts SET storage = '{url}'",
        f"UPDATE attempts SET error = 'no {url}' WHERE error IS NOT NULL",
        f"UPDATE runs SET error = 'no {url}' WHERE error IS NOT NULL",
        f"UPDATE sweep_specs SET source = '{url}'",
    )
    archives.make_ordinary(path)
    archives.import_into(f"sqlite:///{tmp_path}/lab.db", path)
    assert b"hunter2" not in (tmp_path / "lab.db").read_bytes()
    assert b"bucket/runs" in (tmp_path / "lab.db").read_bytes()


def test_a_symlink_loop_is_refused_as_an_archive(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    refused(tmp_path / "one", "it cannot be read")


@pytest.mark.slow
def test_a_flipped_bit_in_any_page_is_detected(path):
    sound = path.read_bytes()
    size = 4096
    found = 0
    for page in range(0, len(sound), size):
        # The end of a page, where SQLite puts the first rows of a table.
        content = bytearray(sound)
        content[page + size - 2] ^= 1
        path.write_bytes(content)
        try:
            with open_archive(path) as archive:
                assert facts(archive) == SOUND  # an index, or a view, which is not read
        except (BadArchiveError, ArchiveError):
            found += 1
    assert found > len(sound) // size // 3


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_truncated_archive_is_detected(path, part):
    os.truncate(path, path.stat().st_size * part // 4)
    refused(path, "malformed", ArchiveError)


def _in(table, what, where="true"):
    return f"UPDATE {table} SET {what} WHERE {where}"


def _of(run_id):
    return f"run_id = '{run_id}'"


def _metric(table, name):
    epoch = ", epoch" if table == "epoch_metrics" else ""
    return (
        f"INSERT INTO {table} (run_id, name{epoch}, value)"
        f" VALUES ('{DONE}', '{name}'{', 1' if epoch else ''}, 0.5)"
    )


BROKEN = [
    (_in("runs", "test_accuracy = 140", _of(DONE)), "test_accuracy is 140.*0+1', and the rule is"),
    (_in("runs", "state = 'finished'", _of(FAILED)), "state is 'finished' .*, and the rule is"),
    (_in("runs", "error = NULL", _of(FAILED)), "state is 'failed', error is None .*rule is"),
    (_in("runs", "diverged = NULL", _of(DONE)), "state is 'done', diverged is None .*rule is"),
    (_in("runs", "finished_at = 1", _of(QUEUED)), "state is 'queued', finished_at is 1.*rule is"),
    (_in("runs", "parameters = -1"), "parameters is -1 .*rule is"),
    (_in("runs", "seed = NULL"), "runs.seed is None where"),
    (_in("runs", "run_id = NULL", _of(QUEUED)), "runs.run_id is None where"),
    (_in("runs", "run_id = 'aaa'", _of(QUEUED)), "runs.run_id is 'aaa' .*16 hex digits"),
    (_in("runs", "run_id = 'AAAAAAAAAAAAAAAA'", _of(QUEUED)), "16 hex digits"),
    (_in("runs", "run_id = run_id || char(10)", _of(QUEUED)), "16 hex digits"),
    (_in("runs", "depth = 2147483648"), "depth is 2147483648 .*at most 32 bits"),
    (_in("runs", "depth = -2147483649"), "depth .*at most 32 bits"),
    (_in("runs", "depth = 'deep'"), "runs.depth is 'deep'"),
    (_in("runs", "depth = 2.5"), "runs.depth is 2.5"),
    (_in("runs", "trainable = 2"), "trainable is 2 .*0 or 1"),
    (_in("runs", "train_loss = 9e999"), "train_loss is inf .*not finite"),
    (_in("runs", "beta = 'x'"), "runs.beta is 'x'"),
    (_in("runs", "scheme = 'a' || char(0) || 'b'"), "runs.scheme .*no NUL"),
    (_in("runs", "scheme = x'ff'"), r"runs.scheme is b'\\xff'"),
    (_in("runs", "scheme = CAST(x'ff' AS TEXT)"), "UTF-8"),
    (_in("runs", "config = '{'"), "runs.config .*not JSON"),
    (_in("runs", "config = '[1]'"), "runs.config .*dictionary"),
    (_in("runs", """config = '{"a": NaN}'"""), "runs.config .*not JSON"),
    (_in("runs", "config = printf('%.100000c', '[')"), "runs.config .*not JSON"),
    (_in("runs", """alpha = '["x"]'"""), r"runs.alpha .*\[0\]"),
    (_in("runs", "learned_coefficients = 'null'"), "null is stored as NULL"),
    ("INSERT INTO runs SELECT * FROM runs", "runs has several rows where run_id '0+1'"),
    ("INSERT INTO epochs SELECT * FROM epochs", "epochs has several rows where run_id .*, epoch"),
    (_in("runs", "attempt = 2", _of(DONE)), "run 0+1 is done, attempt 2, and has no such attempt"),
    (_in("attempts", "run_id = '0000000000000000'", _of(DONE)), "refers to nothing in runs"),
    (_in("attempts", "state = 'failed'", _of(DONE)), "run 0+1 is done, attempt 1, and has no such"),
    (_in("attempts", "state = 'done'", _of(FAILED)), "attempt 1 is done, and run 0+2 is failed"),
    (_in("attempts", "state = 'running', finished_at = NULL", _of(FAILED)), "attempt 1 is run"),
    (_in("attempts", "attempt = 2", _of(FAILED)), "attempt 2 .*run 0+2 is failed, attempt 1"),
    (_in("attempts", "state = 'lost', finished_at = 1", _of(RUNNING)), "run 0+3 is running"),
    (_in("attempts", "provenance = '[]'"), "attempts.provenance"),
    ("DELETE FROM attempts", "run 0+1 is done, attempt 1, and has no such attempt"),
    (_in("epochs", "epoch = 0", "epoch = 1"), "epochs.epoch is 0 .*rule is: epoch >= 1"),
    (_in("epochs", "train_accuracy = -1"), "epochs.train_accuracy is -1"),
    (_in("epochs", _of(QUEUED)), "epochs has rows of run 0+4, which is queued, and was never"),
    (_in("epochs", _of("0" * 16)), "epochs.run_id .*refers to nothing in runs"),
    (_in("probes", "epoch = -1", "epoch = 0"), "probes.epoch is -1"),
    (_in("probes", "epoch = 0"), "probes has several rows"),
    (_in("probes", "value = -9e999"), "probes.value is -inf"),
    (_in("probes", _of(FAILED)), "probes has rows of run 0+2, which is failed"),
    (_in("probes", "probe = ''", "epoch = 0"), "probes.probe is '' .*rule is"),
    (_in("blocks", "block = 0", "block = 1"), "blocks.block is 0"),
    (_in("blocks", """alpha = '["x"]'"""), r"blocks.alpha .*\[0\]"),
    (_in("blocks", _of(RUNNING)), "blocks has rows of run 0+3, which is running"),
    (_in("evaluations", _of(RUNNING)), "evaluations has rows of run 0+3, which is running"),
    (_in("evaluations", "evaluation_id = 'ffffffffffffffff'"), "refers to nothing in eval"),
    (_in("evaluations", "accuracy = 100.1"), "evaluations.accuracy is 100.1"),
    (_in("evaluation_configs", "evaluation_id = 'x'"), "16 hex digits"),
    (_in("evaluation_configs", "level = 9e999"), "evaluation_configs.level is inf"),
    (_in("evaluation_configs", """config = '"text"'"""), "evaluation_configs.config"),
    (_in("sweeps", "name = 'one'"), "sweeps has several rows where name 'one'"),
    (_in("sweeps", "name = ''", "name = 'one'"), "sweeps.name is '' .*rule is"),
    (_in("sweeps", "name = 'a' || char(27) || '[2J'", "name = 'one'"), "cannot be printed"),
    (_in("sweep_specs", "version = 0", "sweep_id = 1"), "sweep_specs.version is 0"),
    (_in("sweep_specs", "overrides = '[1]'"), r"sweep_specs.overrides .*\[0\]"),
    (_in("sweep_specs", "sweep_id = 3", "sweep_id = 2"), "refers to nothing in sweeps"),
    ("DELETE FROM sweep_specs", "sweep 'one' has no spec"),
    (_in("sweep_runs", "position = 0"), "sweep_runs has several rows"),
    (_in("sweep_runs", _of(DONE)), "sweep_runs has several rows"),
    (_in("sweep_runs", "run_id = '0000000000000000'", _of(QUEUED)), "refers to nothing in runs"),
    (_in("sweep_evaluations", "evaluation_id = 'ffffffffffffffff'"), "refers to nothing in"),
    ("ALTER TABLE epochs DROP COLUMN seconds", "epochs has no column seconds"),
    ("ALTER TABLE epochs ADD COLUMN mood", "epochs has an unknown column 'mood'"),
    ("DROP TABLE blocks", "there is no table blocks"),
]  # fmt: skip

# What no rule of a table forbids, and no training gives.
IMPLAUSIBLE = [
    (_in("runs", "created_at = 1e12"), "runs.created_at is 1000000000000.0 where .* from 0 to"),
    (_in("runs", "finished_at = -1", _of(DONE)), "runs.finished_at is -1.0 where run_id '0+1'"),
    (_in("runs", "train_seconds = -1", _of(DONE)), "runs.train_seconds is -1.0"),
    (_in("runs", "train_seconds = 1e308", _of(DONE)), r"train_seconds is 1e\+308"),
    (_in("runs", "images_per_second = 1e300", _of(DONE)), "images_per_second is"),
    (_in("runs", "generalization_gap = 101", _of(DONE)), "generalization_gap is 101.0"),
    (_in("runs", "test_loss = -1e200", _of(DONE)), "runs.test_loss is"),
    (_in("runs", "beta = 1e300"), r"runs.beta is 1e\+300"),
    (_in("runs", "best_epoch = 3", _of(DONE)), "best_epoch is 3 of run 0+1, which has 2 epochs"),
    (_in("runs", "best_epoch = -1", _of(DONE)), "best_epoch is -1 of run 0+1"),
    (_in("runs", "diverged_epoch = 9", _of(DONE)), "diverged_epoch is 9 of run 0+1"),
    (_in("runs", "learned_coefficients = '[\"x\"]'", _of(DONE)), "runs.learned_coefficients"),
    (_in("runs", "learned_coefficients = '[[1, \"x\"]]'", _of(DONE)), "learned_coefficients"),
    (_in("runs", "alpha = '[' || substr(replace(hex(zeroblob(600)), '00', ',1'), 2) || ']'"),
     "runs.alpha .* it has 600 numbers, and a scheme at most 100"),
    (_in("runs", "config = '{\"a\":' || replace(hex(zeroblob(60)), '00', '[') ||"
         " replace(hex(zeroblob(60)), '00', ']') || '}'"), "runs.config .* levels"),
    (_in("runs", "model = printf('%.5000c', 'x')"), "runs.model has a text of more than 1,"),
    (_in("attempts", "started_at = 1e300"), "attempts.started_at is"),
    (_in("attempts", "first_epoch = 4", _of(DONE)), "first_epoch is 4 of run 0+1"),
    (_in("attempts", "host = printf('%.5000c', 'x')"), "attempts.host has a text of more than"),
    (_in("attempts", "error = printf('%.5000000c', 'x')", _of(FAILED)), "attempts.error has a tex"),
    (_in("attempts", "provenance = '{\"a\": 1e300}'"), r"provenance .* number beyond 1e\+"),
    (_in("epochs", "seconds = -1"), "epochs.seconds is -1.0"),
    (_in("epochs", "epoch = 3", "epoch = 2"), "epochs.epoch is 3 of run 0+1, which has 2 epochs"),
    (_in("probes", "epoch = 3", "epoch = 0"), "probes.epoch is 3 of run 0+1, which has 2 epochs"),
    (_in("probes", "value = 1e80"), r"probes.value is 1e\+80"),
    (_in("probes", "layer = printf('%.5000c', 'x')", "epoch = 0"), "probes.layer has a text"),
    (_in("blocks", "beta = 1e80"), "blocks.beta is"),
    (_in("evaluations", "loss = 1e80"), "evaluations.loss is"),
    (_in("evaluation_configs", "level = 1e80"), "evaluation_configs.level is"),
    (_in("sweeps", "updated_at = 1e12"), "sweeps.updated_at is"),
    (_in("sweep_specs", "text = printf('%.5000000c', 'x')"), "sweep_specs.text has a text of more"),
    (_metric("metrics", "training.lr"), "metrics.name: 'training.lr' is no name of a metric"),
    (_metric("epoch_metrics", "seed"), "epoch_metrics.name: 'seed' is the name of something else"),
    # A megabyte of file, or a gigabyte of memory, whichever is read.
    (_in("sweep_specs", "text = printf('%.70000000c', 'x')"), "string or blob too big"),
]  # fmt: skip


@pytest.mark.parametrize("table", ["epochs", "attempts"])
def test_trainers_of_ones_own_may_count_steps_as_epochs(path, table):
    archives.change(path, _in("runs", "config = json_set(config, '$.trainer', 'mine:train')"))
    what = "epoch = 300" if table == "epochs" else "first_epoch = 300"
    archives.change(path, _in(table, what, _of(DONE) + (" AND epoch = 2" * (table == "epochs"))))
    archives.make_ordinary(path)
    with open_archive(path):
        pass
    archives.change(path, _in("runs", "config = json_remove(config, '$.trainer')"))
    refused(path, "is 300 of run 0+1, which has 2 epochs")


@pytest.mark.parametrize(("statement", "problem"), IMPLAUSIBLE)
def test_content_that_no_training_gives_is_refused_with_its_place(path, statement, problem):
    archives.change(path, statement)
    archives.make_ordinary(path)
    refused(path, problem)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("CREATE VIRTUAL TABLE x USING fts5(y)", "its table 'x' is a virtual one"),
        ("ALTER TABLE runs ADD COLUMN x AS (hex(zeroblob(500000000)))", "'runs' computes a column"),
        ("CREATE TABLE x (a AS (hex(zeroblob(500000000))), b)", "'x' computes a column, 'a'"),
    ],
)
def test_a_file_with_tables_that_a_program_fills_is_refused_unread(path, statement, problem):
    archives.change(path, statement)
    refused(path, problem)


def test_a_file_with_thousands_of_tables_is_refused(path):
    archives.change(path, *(f"CREATE TABLE t{number} (a)" for number in range(1001)))
    refused(path, "more than 1000 tables")


def test_an_archive_of_the_first_schema_can_be_imported(tmp_path):
    path = schema_0004.write(tmp_path / "old.db", "archive")
    before = path.read_bytes()
    with open_archive(path) as archive:
        assert archive.sweeps == ("ours", "theirs")
        found = [(run["state"], len(tried)) for run, tried in archive.runs_with_attempts()]
    assert found == [("done", 1)] * 6
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["old.db"]


def test_a_queued_run_in_no_sweep_is_no_damage_of_an_archive_of_the_first_schema(tmp_path):
    path = schema_0004.write(tmp_path / "old.db", "archive")
    engine = databases.plain_engine(sqlite_url(path))
    with engine.begin() as connection:
        run_id = schema_0004.add_queued(connection)
    # The hash that a program of that time had taken.
    newest = shutil.copy(path, tmp_path / "newest.db")
    assert migrations.upgrade(sqlite_url(newest)) == ("0004", revisions.NEWEST)
    with databases.plain_engine(sqlite_url(newest)).begin() as connection:
        (state,) = connection.exec_driver_sql(f"SELECT state FROM runs WHERE {_of(run_id)}").one()
        assert state == "cancelled"  # it is no archive any more
        connection.exec_driver_sql(_in("runs", "state = 'queued'", _of(run_id)))
        sha256 = content_sha256(connection)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE sweep_archive SET content_sha256 = '{sha256}'")
    here = f"sqlite:///{tmp_path}/here.db"
    merged = archives.import_into(here, path)
    assert (merged.counts["runs"].inserted, merged.queued) == (7, ())
    with Queries.open(here) as queries:
        assert {row["run_id"]: row["state"] for row in queries.run_rows()}[run_id] == "cancelled"


def test_damage_of_an_archive_of_the_first_schema_is_found(tmp_path):
    path = schema_0004.write(tmp_path / "old.db", "archive")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE epochs SET seconds = seconds + 0.25 WHERE epoch = 1")
    refused(path, "changed after it was written: copy it again")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE attempts")
    refused(path, "no such table: attempts", ArchiveError)


def test_a_database_of_the_first_schema_can_be_imported(tmp_path):
    path = schema_0004.write(tmp_path / "old.db", "database")
    merged = archives.import_into(f"sqlite:///{tmp_path}/new.db", path)
    assert merged.counts["runs"].inserted == 6


@pytest.mark.parametrize(("statement", "problem"), BROKEN)
@pytest.mark.parametrize("ordinary", [False, True])
def test_content_violating_a_constraint_is_refused_with_table_and_row(
    path, statement, problem, ordinary
):
    archives.change(path, statement)
    if ordinary:
        archives.make_ordinary(path)
    refused(path, problem)


def test_an_archive_stripped_of_constraints_opens_if_its_content_satisfies_them(path):
    archives.change(path)
    with open_archive(path) as archive:
        assert facts(archive) == SOUND


def test_an_archive_with_a_view_in_place_of_a_table_is_refused(path):
    archives.change(path, "ALTER TABLE blocks RENAME TO b", "CREATE VIEW blocks AS SELECT * FROM b")
    refused(path, "there is no table blocks")
