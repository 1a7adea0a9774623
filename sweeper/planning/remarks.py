"""What may be meant otherwise in a spec than it holds: said before anything runs."""

from __future__ import annotations

from sweeper.planning.meant_fractions import meant_fractions
from sweeper.planning.replaced_keys import replaced_keys
from sweeper.planning.uncounted_imports import uncounted_imports
from sweeper.spec.spec import Spec


def remarks(spec: Spec) -> list[str]:
    """Sentences for the user; none if there is nothing to say."""
    said = (meant_fractions(spec.configs), replaced_keys(spec.merged))
    return [*filter(None, said), *uncounted_imports(spec.uncounted)]
