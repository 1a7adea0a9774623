"""Merging the runs of an archive, with all that was tried and measured of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select, update

from results.archive.chosen import ARCHIVED
from results.archive.decisions import Decision, decide
from results.archive.merged import Conflict, ConflictKind, Difference
from results.archive.merging_code import CodeStates
from results.archive.merging_labels import NAMED_AT_ONCE, merge_labels_of_runs
from results.archive.reading import Archive
from results.database.dialects import insert_rows, is_one_of, rows_as_dicts
from results.records import Row
from results.schema.tables import (
    IS_IN_A_SWEEP,
    OF_RESULTS,
    REPORTED_LIVE,
    attempts,
    code_states,
    epochs,
    evaluation_configs,
    evaluations,
    imports,
    runs,
)

_BROUGHT = [table for table in ARCHIVED if table is not imports]
"""What is taken of an archive. Where its own rows came from is not: here they all come from it."""


class RunMerging:
    """One pass over the archive's runs and what belongs to them."""

    def __init__(self, connection: Connection, archive: Archive, import_id: int) -> None:
        self._connection = connection
        self._archive = archive
        self._marks: dict[Table, Row] = {
            runs: {"imported": True},
            attempts: {"import_id": import_id},
            evaluations: {"import_id": import_id},
        }
        self.counts: dict[str, Counter[str]] = {table.name: Counter() for table in _BROUGHT}
        self._code_states = CodeStates(connection, archive, self.counts[code_states.name])
        self.conflicts: list[Conflict] = []
        self.adopted: list[str] = []
        self.queued: list[str] = []
        self.to_queue: list[str] = []
        self._epochs: dict[str, list[str]] = {"inserted": [], "already_here": []}
        self._measured: list[str] = []
        self._imported_before: set[str] = set()
        self._other_evaluations: set[str | None] = set()

    def merge(self) -> None:
        """Adds what the database lacks of runs, what was measured of them, and their labels."""
        self._merge_evaluation_configs()
        self._merge_runs()
        self._merge_evaluations()
        for table in OF_RESULTS:
            if table is not evaluations:
                self._merge_rows_of_results(table)
        self._merge_labels()
        self._code_states.count_the_others()

    def _merge_evaluation_configs(self) -> None:
        column = evaluation_configs.c.evaluation_id
        for rows in self._archive.batches(evaluation_configs, at_once=NAMED_AT_ONCE):
            among = column.in_([row[column.name] for row in rows])
            for conflict in self._insert_missing(evaluation_configs, rows, among, "evaluation"):
                if any(difference.column == "config" for difference in conflict.differences):
                    self._other_evaluations.add(conflict.evaluation_id)

    def _insert_missing(
        self, table: Table, rows: list[Row], where: Any, kind: ConflictKind
    ) -> list[Conflict]:
        """Inserts what is not among the rows here; returns what both sides say differently."""
        key = [column.name for column in table.primary_key]
        here = self._by_key(table, where)
        new, conflicts = [], []
        for row in rows:
            found = here.get(tuple(row[name] for name in key))
            if found is None:
                new.append(row)
                continue
            differences = tuple(
                Difference(name, found[name], value)
                for name, value in row.items()
                if found[name] != value
            )
            self.counts[table.name]["left_out" if differences else "already_here"] += 1
            if differences:
                ids = row.get("run_id"), row["evaluation_id"]
                conflicts.append(Conflict(kind, *ids, differences))
        self._insert(table, new)
        self.conflicts += conflicts
        return conflicts

    def _merge_runs(self) -> None:
        pairs = self._archive.runs_with_attempts()
        while batch := list(islice(pairs, NAMED_AT_ONCE)):
            ids = [run["run_id"] for run, _ in batch]
            here = self._by_key(runs, runs.c.run_id.in_(ids))
            tried_here = {
                run_id: list(rows)
                for run_id, rows in groupby(
                    self._rows(attempts, attempts.c.run_id.in_(ids)), key=itemgetter("run_id")
                )
            }
            decisions = []
            for run, tried in batch:
                run_id = run["run_id"]
                known, tries = here.get((run_id,)), tried_here.get(run_id, ())
                decision = decide(run, tried, known, tries, self._archive.exported_at)
                self._note(run, decision)
                if decision.epochs == "already_here" and known and known["imported"]:
                    self._imported_before.add(run_id)
                decisions.append((run_id, decision))
            self._write(decisions)

    def cancel_in_no_sweep(self) -> set[str]:
        """Cancels what was queued, and is in no sweep, once the sweeps are there; the ids."""
        these = is_one_of(self._connection.dialect.name, runs.c.run_id, self.to_queue)
        change = update(runs).where(these, ~IS_IN_A_SWEEP).values(state="cancelled")
        return set(self._connection.scalars(change.returning(runs.c.run_id)))

    def _note(self, run: Row, decision: Decision) -> None:
        run_id = run["run_id"]
        if decision.fate != "inserted":
            self.counts["runs"][decision.fate] += 1
        tally = self.counts["attempts"]
        tally["already_here"] += decision.attempts_already_here
        tally["left_out"] += decision.attempts_left_out
        if decision.conflict is not None:
            self.conflicts.append(decision.conflict)
        if decision.fate == "completed":
            self.adopted.append(run_id)
        if decision.fate == "inserted" and run["state"] in ("queued", "running"):
            self.to_queue.append(run_id)
            if run["state"] == "running":
                self.queued.append(run_id)
        if decision.epochs != "left_out":
            self._epochs[decision.epochs].append(run_id)
        if decision.evaluations:
            self._measured.append(run_id)

    def _write(self, decisions: list[tuple[str, Decision]]) -> None:
        self._insert(runs, [d.row for _, d in decisions if d.fate == "inserted" and d.row])
        new = [row for _, d in decisions for row in d.new_attempts]
        completed = [row for _, d in decisions for row in d.completed_attempts]
        self._code_states.bring([*new, *completed])
        self._insert(attempts, new)
        self._update(attempts, completed)
        self.counts["attempts"]["completed"] += len(completed)
        # What went wrong elsewhere says little about these machines: faults are counted from here.
        raised = [
            {"run_id": run_id, "attempt": d.last_attempt, "retried_after": d.last_attempt}
            for run_id, d in decisions
            if d.last_attempt is not None
        ]
        # A result comes last: from then on the run is final.
        self._update(runs, raised)
        results = [d.row for _, d in decisions if d.fate == "completed" and d.row]
        self._update(runs, [row | self._marks[runs] for row in results])

    def _merge_rows_of_results(self, table: Table) -> None:
        """Rows of a table that a run gets with its result: with a new result, or none."""
        known = self._epochs["already_here"]
        bare = set() if table is epochs else self._without_rows(table, known)
        # Of a run that was trained here, nothing counts but what was measured here.
        inserted = {*self._epochs["inserted"], *(bare & self._imported_before)}
        already_here = set(known) - bare
        if table in REPORTED_LIVE:
            # A result from elsewhere replaces what its run reported here, as one from here does.
            of = is_one_of(self._connection.dialect.name, table.c.run_id, self.adopted)
            self._connection.execute(delete(table).where(of))
        tally = self.counts[table.name]
        names, parts = self._archive.tuples(table)
        run_id = names.index("run_id")
        for rows in parts:
            new = [row for row in rows if row[run_id] in inserted]
            stay = sum(row[run_id] in already_here for row in rows) if already_here else 0
            tally["already_here"] += stay
            tally["left_out"] += len(rows) - len(new) - stay
            self._insert_tuples(table, names, new)

    def _without_rows(self, table: Table, run_ids: list[str]) -> set[str]:
        """The runs that have no row of the table here: their result was stored before it was."""
        among = is_one_of(self._connection.dialect.name, table.c.run_id, run_ids)
        rows = self._connection.execute(select(table.c.run_id).where(among).distinct())
        found = set(rows.scalars())
        return set(run_ids) - found

    def _merge_evaluations(self) -> None:
        measured = set(self._measured)
        for batch in self._archive.batches(evaluations, at_once=NAMED_AT_ONCE):
            rows = [
                row
                for row in batch
                if row["run_id"] in measured and row["evaluation_id"] not in self._other_evaluations
            ]
            self.counts[evaluations.name]["left_out"] += len(batch) - len(rows)
            among = evaluations.c.run_id.in_({row["run_id"] for row in rows})
            self._insert_missing(evaluations, rows, among, "measurement")

    def _merge_labels(self) -> None:
        others = {c.run_id for c in self.conflicts if c.kind == "config" and c.run_id is not None}
        merge_labels_of_runs(self._connection, self._archive, others, self.counts)

    def _rows(self, table: Table, where: Any) -> list[Row]:
        query = select(table).where(where).order_by(*table.primary_key.columns)
        return rows_as_dicts(self._connection.execute(query))

    def _by_key(self, table: Table, where: Any) -> dict[tuple[Any, ...], Row]:
        key = [column.name for column in table.primary_key.columns]
        return {tuple(row[name] for name in key): row for row in self._rows(table, where)}

    def _insert(self, table: Table, rows: list[Row]) -> None:
        if rows:
            rows = [row | self._marks.get(table, {}) for row in rows]
            names = list(rows[0])
            self._insert_tuples(table, names, list(map(itemgetter(*names), rows)))

    def _insert_tuples(
        self, table: Table, names: Sequence[str], rows: list[tuple[Any, ...]]
    ) -> None:
        if rows:
            insert_rows(self._connection, table, names, rows)
            self.counts[table.name]["inserted"] += len(rows)

    def _update(self, table: Table, rows: list[Row]) -> None:
        """Each row has the table's key and the columns that change; all the same columns."""
        if not rows:
            return
        key = [column.name for column in table.primary_key.columns]
        statement = update(table).where(
            *(table.c[name] == bindparam(f"key_{name}") for name in key)
        )
        changed: dict[str, Any] = {
            name: bindparam(f"new_{name}") for name in rows[0] if name not in key
        }
        self._connection.execute(
            statement.values(changed),
            [
                {f"key_{n}" if n in key else f"new_{n}": value for n, value in row.items()}
                for row in rows
            ],
        )
