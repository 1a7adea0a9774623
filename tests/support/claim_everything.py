"""A process that claims all it can: `python claim_everything.py URL SWEEP ORDER`.

It says "ready", waits for a line, and then says which runs it got, as a JSON list. On Postgres it
is a driver; a SQLite file has only one of these at a time, and is raced for by programs that are
none. `ORDER` is the seed of the order in which it tries.
"""

from __future__ import annotations

import json
import random
import sys
from contextlib import nullcontext

from results.store.store import Store


def main(url: str, sweep: str, order: str) -> None:
    with Store.open(url, create=False) as store:
        wanted = [run.run_id for run in store.pending(sweep)]
        random.Random(int(order)).shuffle(wanted)
        with nullcontext() if url.startswith("sqlite") else store.driving():
            print("ready", flush=True)
            sys.stdin.readline()
            won = [run_id for run_id in wanted if store.claim(run_id, provenance={}) is not None]
        print(json.dumps(won), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
