"""A process that writes to a DuckDB warehouse beside others, and calls whatever else there is, in an order of its own.

    python warehouse_fighter.py PATH DOMAIN SEED STEPS

Prints the sequences that were committed, one a line, in feed order of DOMAIN: what was printed must stay.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from feed_messages import upsert

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.warehouse import DuckDbWarehouse

LOCK_WAIT_MS = 20_000
APPLY_TIMEOUT_S = 90
REST_S = 0.1
"""Others get at the file by asking again and again, so it is left alone for longer than they wait between two asks."""


def main() -> None:
    """Write and call until the steps are done."""
    path, domain, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)
    warehouse = DuckDbWarehouse(path, lock_wait_ms=LOCK_WAIT_MS)

    def close() -> None:
        warehouse.close()
        time.sleep(REST_S * chance.random() * 2)

    def read_beside() -> None:
        # A second handle of this process, by another name: of the same file while it is open here.
        for name in (path, os.path.relpath(path), f"{path}-link"):
            other = DuckDbWarehouse(name, read_only=chance.random() < 0.5, lock_wait_ms=0)
            try:
                other.query("SELECT 1")
            except ConfigurationError:
                continue
            finally:
                other.close()

    operations = [
        lambda: warehouse.query("SELECT COUNT(*) FROM golden_history"),
        lambda: list(warehouse.published(domain)),
        lambda: warehouse.erased(domain),
        lambda: warehouse.position(domain),
        lambda: warehouse.mentions(domain, "crm", "1"),
        lambda: warehouse.search(["nowhere to be found"]),
        warehouse.purge,
        read_beside,
        close,
    ]
    for sequence in range(1, steps + 1):
        message = upsert(sequence, f"g{sequence}", [f"crm/{sequence}"], domain=domain)
        _until_done(lambda message=message: warehouse.apply([message]))
        sys.stdout.write(f"{sequence}\n")
        sys.stdout.flush()
        for operation in chance.sample(operations, 2):
            with suppress(TransientError):  # busy is an answer, as of a purge that another process came between
                operation()
    warehouse.close()


def _until_done(apply: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + APPLY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with suppress(TransientError):
            apply()
            return
        time.sleep(REST_S / 2)
    raise SystemExit(f"{Path(sys.argv[1]).name} was busy all the time")


if __name__ == "__main__":
    main()
