"""Code that was edited since runs like these were stored, and what of them stays accepted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from results.errors import NoDatabaseError
from results.json_values import to_json
from results.queries.queries import Queries
from results.queries.sources import STAGES
from sweeper.planning.code_edit import Code, Edited
from sweeper.spec.spec import Spec
from trainers.config.canonical import SHA256
from trainers.config.evaluations import EvaluationConfig
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun


def edited_code(spec: Spec, database: str) -> list[Edited]:
    """What was edited of the spec's code, with what its own runs and evaluations lack."""
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
        known = found.setdefault(edit, Edited({}, {}, Counter(), each.changed))
        found[edit] = replace(
            known,
            now={**known.now, **each.now},
            earlier={**known.earlier, **each.earlier},
            stages=known.stages + each.stages,
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
        earlier, stages = _earlier_code(queries, trainer, code, configs)
        if stages:
            # What never began is not known to have had files.
            ids = [run_id for run_id, stage in stages.items() if stage != STAGES[0]]
            counts = Counter(stages.values())
            found.append(_edited(queries, spec, code, earlier, ids, counts))
            accepted |= {config.run_id: config.with_code(earlier) for config in configs}
    return found, tuple(accepted.get(config.run_id, config) for config in spec.configs)


def _earlier_code(
    queries: Queries, trainer: str, code: Code, configs: Sequence[TrainerRun]
) -> tuple[Code, dict[str, str]]:
    """The code under which most of these runs have come further, and how far, by their ids.

    Than under theirs. Most done ones count first, then most that were begun, and so on.
    """
    reached = queries.stages_of({config.run_id for config in configs})
    left = [config for config in configs if reached.get(config.run_id) != "done"]
    if not left:
        return {}, {}
    of_now = {key: left[0].shared_json().get(key) for key in _CODE}
    models = {config.model.name if isinstance(config, RunConfig) else None for config in configs}
    wanted: dict[str, int] = {}
    found: dict[str, dict[str, str]] = {}
    for run_id, text, stage in queries.runs_by_other_code(trainer, of_now, models):
        # Made only once it is known that there are such runs.
        wanted = wanted or {
            _without_code(to_json(config.shared_json()))[0]: _rank(reached.get(config.run_id))
            for config in left
        }
        others, earlier = _without_code(text)
        if others in wanted and _rank(stage) > wanted[others]:
            found.setdefault(_ENCODER.encode(earlier), {})[run_id] = stage
    versions = [(_code_in(trainer, json.loads(text)), stages) for text, stages in found.items()]
    known = [(earlier, stages) for earlier, stages in versions if earlier is not None]
    # Of equally many, the newest.
    return max(known, key=lambda version: _most(version[1]), default=({}, {}))


def _rank(stage: str | None) -> int:
    return -1 if stage is None else STAGES.index(stage)


def _most(stages: Mapping[str, str]) -> list[int]:
    counts = Counter(stages.values())
    return [counts[stage] for stage in reversed(STAGES)]


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
            counts = Counter(done=len(measured))
            found.append(_edited(queries, spec, {name: source}, before, measured, counts))
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
    queries: Queries,
    spec: Spec,
    code: Code,
    earlier: Code,
    results: Sequence[str],
    stages: Counter[str],
) -> Edited:
    """What differs between the two. `results` are the run of each result under the earlier code."""
    now = {name: sha256 for name, sha256 in code.items() if earlier.get(name) != sha256}
    before = {name: earlier[name] for name in now if name in earlier}
    changed: set[str] = set()
    for name, sha256 in now.items():
        files = spec.sources.get(sha256)
        known = queries.files_of_source(sorted(results), before.get(name, ""))
        if files is None or known is None:
            return Edited(now, before, stages, None)
        changed |= {file for file in {*files, *known} if files.get(file) != known.get(file)}
    return Edited(now, before, stages, tuple(sorted(changed)))
