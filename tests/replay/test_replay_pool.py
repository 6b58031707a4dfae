"""A worker that gives up ends the run, and the process that started it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from source_tree import ROOT

from mdm_stream.index.redis.epochs import hold

GIVING_UP = """
import sys
from mdm_stream.core.model import RecordEvent
from mdm_stream.errors import TerminalError
from mdm_stream.engine.worker_pool import WorkerPool
from small_world import small_rules

def event(batch, n):
    return RecordEvent("person", "crm", f"{batch}-{n}", "upsert", 1, 0, {"given_name": f"{batch} {n} " + "x" * 3_000})

def main():
    batches = ([event(batch, n) for n in range(40)] for batch in range(10))
    with WorkerPool(1, (sys.argv[1], {"person": small_rules()}, "main"), lambda _: None) as pool:
        try:
            for batch in batches:
                pool.put(0, batch)
            pool.finish()
        except TerminalError as error:
            print(error)
            raise SystemExit(3)

if __name__ == "__main__":
    main()
"""


@pytest.mark.one_redis
def test_a_process_whose_worker_gave_up_ends(redis_client, redis_url, tmp_path):
    """Batches that nobody will take are not waited for when the process leaves."""
    hold(redis_client, "main", "person", "nothing is to be written")
    script = tmp_path / "giving_up.py"
    script.write_text(GIVING_UP)
    done = subprocess.run(
        [sys.executable, str(script), redis_url],
        env={"PYTHONPATH": str(ROOT / "tests" / "support"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "a worker failed" in done.stdout
