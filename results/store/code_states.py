"""What attempts say of code, stored once for each content, for as long as an attempt refers to it.

Each function works inside a transaction of the caller, `results.store.store.Store`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, or_, select

from results.database.dialects import insert_missing, is_one_of
from results.provenance import Told
from results.schema.tables import CODE_OF_ATTEMPTS, attempts, code_states

_HELD = (
    select(code_states.c.sha256)
    .where(code_states.c.sha256 == bindparam("sha256"))
    .with_for_update(read=True, key_share=True)
)


def keep_code_states(connection: Connection, told: Iterable[Told]) -> None:
    """Stores what was told of code, unless it is there.

    Nobody removes it until the attempts refer to it.
    """
    states = {each.code.sha256: each.code for each in told if each.code is not None}
    # In one order everywhere, so that no two transactions wait for each other.
    for sha256 in sorted(states):
        # It nearly always is there, and is long: it need not be sent again. Asked for once more
        # after it was not, since another may have stored it meanwhile, and only then is it held.
        while connection.scalar(_HELD, {"sha256": sha256}) is None:
            insert_missing(connection, code_states, [states[sha256]._asdict()])


def code_states_of(connection: Connection, run_ids: Collection[str]) -> list[str]:
    """What the attempts of these runs refer to."""
    of_runs = is_one_of(connection.dialect.name, attempts.c.run_id, run_ids)
    found = connection.execute(select(*CODE_OF_ATTEMPTS).where(of_runs).distinct())
    return sorted({sha256 for row in found for sha256 in row if sha256 is not None})


def remove_unused_code_states(connection: Connection, among: Sequence[str]) -> None:
    """Removes those of these that no attempt refers to."""
    these = is_one_of(connection.dialect.name, code_states.c.sha256, among)
    # Whoever is about to refer to one is waited for, and then seen.
    locked = select(code_states.c.sha256).where(these).order_by(code_states.c.sha256)
    connection.execute(locked.with_for_update()).all()
    of_any = or_(*(column == code_states.c.sha256 for column in CODE_OF_ATTEMPTS))
    used = select(attempts.c.run_id).where(of_any).exists()
    connection.execute(delete(code_states).where(these, ~used))
