"""Trainers that were edited since runs like these were trained, and results that stay accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from results.errors import NoDatabaseError
from results.queries.queries import Queries
from sweeper.spec.spec import Spec
from trainers.config.trainer_run import TrainerRun

_MOST_SOURCES = 50
"""Of a trainer; older code than that of its 50 newest versions is not looked for."""

_MOST_NAMED = 5


@dataclass(frozen=True)
class EditedTrainer:
    """A trainer of a spec, of which the same runs are done under other code.

    Attributes:
        trainer: its name.
        source: the SHA-256 of its code as it is now.
        earlier: that of the code under which most of these runs are done.
        done: how many are.
        changed: the names of the files that differ; None if they are not known.
    """

    trainer: str
    source: str
    earlier: str
    done: int
    changed: tuple[str, ...] | None

    def sentence(self) -> str:
        """What the edit means for the sweep, and the way out."""
        return (
            f"the code of trainer {self.trainer} was edited{_named(self.changed)}:"
            f" {_runs(self.done)} done under the earlier code ({self.earlier[:12]}, now"
            f" {self.source[:12]}) {'is another run' if self.done == 1 else 'are other runs'} now;"
            " --same-code accepts their results"
        )

    def accepted(self) -> str:
        """The same where the results were accepted."""
        return (
            f"--same-code: results of {_runs(self.done)} accepted that trainer {self.trainer} made"
            f" under other code ({self.earlier[:12]}, now {self.source[:12]}){_named(self.changed)}"
        )


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _named(changed: tuple[str, ...] | None) -> str:
    if not changed:
        return ""
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    return f" ({', '.join(changed[:_MOST_NAMED])}{more})"


def edited_trainers(spec: Spec, database: str) -> list[EditedTrainer]:
    """The trainers of the spec with done runs under other code that are not done under this."""
    own: dict[tuple[str, str], list[TrainerRun]] = {}
    for config in spec.configs:
        if config.source is not None:
            own.setdefault((config.trainer, config.source), []).append(config)
    if not own:
        return []
    try:
        with Queries.open(database) as queries, queries.one_view():
            found = [_edited(queries, spec, *key, configs) for key, configs in own.items()]
    except NoDatabaseError:
        return []
    return [edited for edited in found if edited is not None]


def _edited(
    queries: Queries, spec: Spec, trainer: str, source: str, configs: Sequence[TrainerRun]
) -> EditedTrainer | None:
    sources = [known for known in queries.sources_of(trainer) if known != source][:_MOST_SOURCES]
    if not sources:
        return None
    done_now = queries.done_among([config.run_id for config in configs])
    left = [config for config in configs if config.run_id not in done_now]
    best: tuple[set[str], str] = (set(), "")
    for earlier in sources:
        done = queries.done_among([config.with_source(earlier).run_id for config in left])
        if len(done) > len(best[0]):
            best = (done, earlier)
    done, earlier = best
    if not done:
        return None
    before = queries.files_of_source(sorted(done), earlier)
    now = spec.sources.get(source)
    changed = None if before is None or now is None else _changed(before, now)
    return EditedTrainer(trainer, source, earlier, len(done), changed)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    names = sorted(before.keys() | now.keys())
    return tuple(name for name in names if before.get(name) != now.get(name))


def with_accepted_code(spec: Spec, edited: Iterable[EditedTrainer]) -> Spec:
    """The spec with the runs of these trainers under their earlier code.

    All of them, also those that are yet to train, so that they are one sweep with one identity.
    """
    earlier = {(each.trainer, each.source): each.earlier for each in edited}
    configs = tuple(
        config
        if config.source is None or (config.trainer, config.source) not in earlier
        else config.with_source(earlier[config.trainer, config.source])
        for config in spec.configs
    )
    accepted = {each.earlier: each.source for each in edited}
    return replace(spec, configs=configs, accepted_code={**spec.accepted_code, **accepted})
