"""Code that was edited since runs like these were done by it, and results that stay accepted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results.errors import NoDatabaseError
from results.queries.queries import Queries
from sweeper.spec.spec import Spec
from trainers.config.evaluations import EvaluationConfig
from trainers.config.trainer_run import TrainerRun

_MOST_VERSIONS = 50
"""Of the code of a run; older ones than the 50 newest are not looked for."""

_MOST_NAMED = 5

Code = Mapping[str, str]
"""SHA-256 of code, by kind and name, as `TrainerRun.code` has it."""


@dataclass(frozen=True)
class Edited:
    """Code of which there are results under an earlier version, that this version has not.

    Attributes:
        now: of what was edited.
        earlier: the code of the same names under which most of these results are; what it lacks is
            not known, since it is from before there were such digests.
        done: how many results there are: runs, or measurements of an evaluation.
        changed: the names of the files that differ; None if they are not known.
    """

    now: Code
    earlier: Code
    done: int
    changed: tuple[str, ...] | None

    def sentence(self) -> str:
        """What the edit means for the sweep, and the way out."""
        begin = f"the code of {self._names} was edited{self._files}: {self._results}"
        one = self.done == 1
        if self._of_evaluation:
            return (
                f"{begin} by the earlier code ({self._digests}) {'stays' if one else 'stay'}, and"
                f" {'is' if one else 'are'} made again by this one; --same-code accepts"
                f" {'it' if one else 'them'} instead"
            )
        return (
            f"{begin} done under the earlier code ({self._digests})"
            f" {'is another run' if one else 'are other runs'} now; --same-code accepts"
            f" {'its result' if one else 'their results'}"
        )

    def accepted(self) -> str:
        """The same where the results were accepted."""
        results = self._results if self._of_evaluation else f"results of {self._results}"
        return (
            f"--same-code: {results} accepted that {self._names} made under other code"
            f" ({self._digests}){self._files}"
        )

    @property
    def _of_evaluation(self) -> bool:
        return next(iter(self.now)).startswith("evaluation ")

    @property
    def _names(self) -> str:
        *others, last = self.now
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def _results(self) -> str:
        kind = "measurement" if self._of_evaluation else "run"
        return f"{self.done} {kind}{'' if self.done == 1 else 's'}"

    @property
    def _digests(self) -> str:
        pairs = {
            f"{self.earlier[name][:12] if name in self.earlier else 'unknown'}, now {sha256[:12]}"
            for name, sha256 in self.now.items()
        }
        return "; ".join(sorted(pairs))

    @property
    def _files(self) -> str:
        if not self.changed:
            return ""
        more = len(self.changed) - _MOST_NAMED
        named = ", ".join(self.changed[:_MOST_NAMED])
        return f" ({named}{f' and {more} more' if more > 0 else ''})"


def edited_code(spec: Spec, database: str) -> list[Edited]:
    """What was edited of the spec's code, with results that its runs and evaluations have not."""
    return _look(spec, database, accept=False)[0]


def with_accepted_code(spec: Spec, database: str) -> tuple[list[Edited], Spec]:
    """What was edited, and the spec with the earlier code of it in the configs.

    In all of them, also of runs that are yet to train, so that they are one sweep with one
    identity.
    """
    return _look(spec, database, accept=True)


def _look(spec: Spec, database: str, *, accept: bool) -> tuple[list[Edited], Spec]:
    if not spec.code:
        return [], spec
    try:
        with Queries.open(database) as queries, queries.one_view():
            runs, configs = _edited_runs(queries, spec)
            if accept:
                # What evaluations were edited shows in the runs whose results are accepted.
                spec = replace(spec, configs=configs)
            measured, evaluations = _edited_evaluations(queries, spec)
    except NoDatabaseError:
        return [], spec
    edited = [*_together(runs), *measured]
    if accept:
        now = {name: sha256 for each in edited for name, sha256 in each.now.items()}
        spec = replace(spec, evaluations=evaluations, accepted_code={**spec.accepted_code, **now})
    return edited, spec


def _together(edited: Sequence[Edited]) -> list[Edited]:
    """One for each edit: runs by different plug-ins of one package were edited together."""
    found: dict[Any, Edited] = {}
    for each in edited:
        edit = (frozenset(each.earlier.values()), frozenset(each.now.values()), each.changed)
        known = found.setdefault(edit, Edited({}, {}, 0, each.changed))
        found[edit] = replace(
            known,
            now={**known.now, **each.now},
            earlier={**known.earlier, **each.earlier},
            done=known.done + each.done,
        )
    return list(found.values())


def _edited_runs(queries: Queries, spec: Spec) -> tuple[list[Edited], tuple[TrainerRun, ...]]:
    """The code of runs that was edited, and the configs with the earlier code."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[TrainerRun]] = {}
    for config in spec.configs:
        if config.source is not None or config.plugins is not None:
            groups.setdefault((config.trainer, tuple(config.code.items())), []).append(config)
    found: list[Edited] = []
    accepted: dict[str, TrainerRun] = {}
    for (trainer, items), configs in groups.items():
        code = dict(items)
        earlier, done = _earlier_code(queries, trainer, code, configs)
        if done:
            found.append(_edited(queries, spec, code, earlier, done, len(done)))
            accepted |= {config.run_id: config.with_code(earlier) for config in configs}
    return found, tuple(accepted.get(config.run_id, config) for config in spec.configs)


def _earlier_code(
    queries: Queries, trainer: str, code: Code, configs: Sequence[TrainerRun]
) -> tuple[Code, set[str]]:
    """The code under which most of these runs are done that are not under theirs, and their ids."""
    best: tuple[Code, set[str]] = {}, set()
    known = [
        plugins if source is None else {f"trainer {trainer}": source} | plugins
        for source, plugins in queries.codes_of(trainer)
    ]
    fit = [each for each in known if each != code and each.keys() <= code.keys()]
    if not fit:
        return best
    done_now = queries.done_among([config.run_id for config in configs])
    left = [config for config in configs if config.run_id not in done_now]
    for earlier in fit[:_MOST_VERSIONS]:
        done = queries.done_among([config.with_code(earlier).run_id for config in left])
        if len(done) > len(best[1]):
            best = earlier, done
    return best


def _edited_evaluations(
    queries: Queries, spec: Spec
) -> tuple[list[Edited], tuple[EvaluationConfig, ...]]:
    """The code of evaluations that was edited, and all of them with the earlier code."""
    ids = [config.run_id for config in spec.configs]
    found: list[Edited] = []
    accepted: dict[str, str | None] = {}
    for kind, source in {e.kind: e.source for e in spec.evaluations}.items():
        if source is None:
            continue
        alike = [e for e in spec.evaluations if e.kind == kind]
        best: tuple[str | None, list[str]] = None, []
        for earlier in queries.sources_of_evaluation(kind)[:_MOST_VERSIONS]:
            measured = _measured(queries, alike, earlier, ids) if earlier != source else []
            if len(measured) > len(best[1]):
                best = earlier, measured
        earlier, measured = best
        if measured:
            name = f"evaluation {kind}"
            before = {} if earlier is None else {name: earlier}
            code = {name: source}
            found.append(_edited(queries, spec, code, before, set(measured), len(measured)))
            accepted[kind] = earlier
    return found, tuple(
        e.with_source(accepted[e.kind]) if e.kind in accepted else e for e in spec.evaluations
    )


def _measured(
    queries: Queries,
    evaluations: Sequence[EvaluationConfig],
    source: str | None,
    run_ids: Collection[str],
) -> list[str]:
    """The run of each measurement that there is by this code, and is not by the present one."""
    return [
        run_id
        for each in evaluations
        for run_id in queries.measured_among(each.with_source(source).evaluation_id, run_ids)
        - queries.measured_among(each.evaluation_id, run_ids)
    ]


def _edited(
    queries: Queries, spec: Spec, code: Code, earlier: Code, run_ids: Collection[str], done: int
) -> Edited:
    now = {name: sha256 for name, sha256 in code.items() if earlier.get(name) != sha256}
    before = {name: earlier[name] for name in now if name in earlier}
    changed: set[str] = set()
    for name, sha256 in now.items():
        files = spec.sources.get(sha256)
        known = queries.files_of_source(sorted(run_ids), before.get(name, ""))
        if files is None or known is None:
            return Edited(now, before, done, None)
        changed |= {file for file in {*files, *known} if files.get(file) != known.get(file)}
    return Edited(now, before, done, tuple(sorted(changed)))
