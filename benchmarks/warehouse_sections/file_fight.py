"""Two processes that fight for one DuckDB file, and call everything that there is: all that was committed stays."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from show import Show
from trees import ROOT

from mdm_stream.warehouse import DuckDbWarehouse

FIGHTER = ROOT / "tests" / "support" / "warehouse_fighter.py"
FIGHTS = 2
STEPS = 30
DOMAINS = ("person", "org")
TIMEOUT_S = 600


def figures(show: Show, scratch: Path) -> None:
    """Fight a few times, in other orders each time."""
    committed = lost = 0
    began_s = time.monotonic()
    for fight in range(FIGHTS):
        path = scratch / f"fight-{fight}.duckdb"
        Path(f"{path}-link").symlink_to(path)
        DuckDbWarehouse(path).query("SELECT 1")
        fighters = [
            subprocess.Popen(
                [sys.executable, str(FIGHTER), str(path), domain, str(100 * fight + place), str(STEPS)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for place, domain in enumerate(DOMAINS)
        ]
        said = [fighter.communicate(timeout=TIMEOUT_S)[0] for fighter in fighters]
        told = {(domain, int(line)) for domain, out in zip(DOMAINS, said, strict=True) for line in out.split()}
        warehouse = DuckDbWarehouse(path)
        kept = set(warehouse.query("SELECT domain, sequence FROM golden_history"))
        kept &= set(warehouse.query("SELECT domain, sequence FROM golden_record"))
        warehouse.close()
        committed, lost = committed + len(told), lost + len(told - kept)
    expected = FIGHTS * len(DOMAINS) * STEPS
    show.figure("batches committed by two processes that fight", f"{committed:,}", floor=f"{expected:,}",
                holds=committed == expected)  # fmt: skip
    show.figure("of these lost, whatever was called between them", lost, floor="0", holds=lost == 0)
    show.fact("time", f"{time.monotonic() - began_s:.0f} s")
