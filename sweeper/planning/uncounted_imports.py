"""What trainers import and what does not count as their code, so that its edits go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sweep_plugins.plain_text import readable

_SHOWN = 5


def uncounted_imports(uncounted: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A sentence about each trainer that imports such files.

    Args:
        uncounted: as `Spec.uncounted`.
    """
    for trainer, paths in uncounted.items():
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        named = readable(", ".join(paths[:_SHOWN]))
        yield (
            f"trainer {trainer} imports {named}{more}, which {'does' if len(paths) == 1 else 'do'}"
            " not count as its code: an edit there goes unnoticed, unless"
            " @trainer(sources=[...]) names all that counts"
        )
