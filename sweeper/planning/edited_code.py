"""Code that was edited since runs like these were done by it, and results that stay accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results.errors import NoDatabaseError
from results.json_values import to_json
from results.queries.queries import Queries
from sweeper.spec.spec import Spec
from trainers.config.canonical import SHA256
from trainers.config.evaluations import EvaluationConfig
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun

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
            found.append(_edited(queries, spec, code, earlier, done))
            accepted |= {config.run_id: config.with_code(earlier) for config in configs}
    return found, tuple(accepted.get(config.run_id, config) for config in spec.configs)


def _earlier_code(
    queries: Queries, trainer: str, code: Code, configs: Sequence[TrainerRun]
) -> tuple[Code, list[str]]:
    """The code under which most of these runs are done that are not under theirs, and their ids."""
    done = queries.done_among({config.run_id for config in configs})
    left = [config.shared_json() for config in configs if config.run_id not in done]
    if not left:
        return {}, []
    of_now = {key: left[0].get(key) for key in _CODE}
    models = {config.model.name if isinstance(config, RunConfig) else None for config in configs}
    wanted: set[str] = set()
    found: dict[str, list[str]] = {}
    for run_id, config in queries.done_by_other_code(trainer, of_now, models):
        # Made only once it is known that there are such runs.
        wanted = wanted or {_without_code(to_json(config))[0] for config in left}
        others, earlier = _without_code(config)
        if others in wanted:
            found.setdefault(_ENCODER.encode(earlier), []).append(run_id)
    versions = [(_code_in(trainer, json.loads(text)), done_by) for text, done_by in found.items()]
    known = [(earlier, done_by) for earlier, done_by in versions if earlier is not None]
    # Of equally many, the newest.
    return max(known, key=lambda version: len(version[1]), default=({}, []))


_CODE = ("source", "plugins")
"""The keys of a config that are about code."""

# As in a hash, in which 1 and 1.0 are the same, and keys have one order.
_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(sort_keys=True)


def _without_code(text: str) -> tuple[str, dict[str, Any]]:
    """The JSON of a config but for its code, which is equal where identities are; and the code."""
    config = _DECODER.decode(text)
    code = {key: config.pop(key, None) for key in _CODE}
    return _ENCODER.encode(config), code


def _code_in(trainer: str, code: Mapping[str, Any]) -> dict[str, str] | None:
    """As `TrainerRun.code`, of what a config in a database has; None for what is no such code."""
    source, plugins = code["source"], code["plugins"] or {}
    if not isinstance(plugins, dict):
        return None
    found = ({} if source is None else {f"trainer {trainer}": source}) | plugins
    fine = all(
        isinstance(sha256, str) and re.fullmatch(SHA256, sha256) for sha256 in found.values()
    )
    return found if fine else None


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
        earlier, measured = _earlier_source(queries, kind, alike, ids)
        if measured:
            name = f"evaluation {kind}"
            before = {} if earlier is None else {name: earlier}
            found.append(_edited(queries, spec, {name: source}, before, measured))
            accepted[kind] = earlier
    return found, tuple(
        e.with_source(accepted[e.kind]) if e.kind in accepted else e for e in spec.evaluations
    )


def _earlier_source(
    queries: Queries, kind: str, evaluations: Sequence[EvaluationConfig], run_ids: Collection[str]
) -> tuple[str | None, list[str]]:
    """The code of most measurements that are not there by the present one, and the run of each."""
    known = {
        each.with_source(source).evaluation_id: (each.evaluation_id, source)
        for source in queries.sources_of_evaluation(kind)
        for each in evaluations
    }
    measured = queries.measured_among(kind, run_ids)
    found: dict[str | None, list[str]] = {}
    for run_id, evaluation_id in measured:
        of_now, source = known.get(evaluation_id, (evaluation_id, None))
        if (run_id, of_now) not in measured:
            found.setdefault(source, []).append(run_id)
    return max(found.items(), key=lambda item: (len(item[1]), item[0] or ""), default=(None, []))


def _edited(
    queries: Queries, spec: Spec, code: Code, earlier: Code, results: Sequence[str]
) -> Edited:
    """What differs between the two. `results` are the run of each result under the earlier code."""
    now = {name: sha256 for name, sha256 in code.items() if earlier.get(name) != sha256}
    before = {name: earlier[name] for name in now if name in earlier}
    changed: set[str] = set()
    for name, sha256 in now.items():
        files = spec.sources.get(sha256)
        known = queries.files_of_source(sorted(results), before.get(name, ""))
        if files is None or known is None:
            return Edited(now, before, len(results), None)
        changed |= {file for file in {*files, *known} if files.get(file) != known.get(file)}
    return Edited(now, before, len(results), tuple(sorted(changed)))
