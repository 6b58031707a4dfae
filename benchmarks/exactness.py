"""One history, delivered in many ways: is the result the same, byte for byte, and is it the reference's?

    python benchmarks/exactness.py FILE... --rules RULES [--seeds 5] [--batch-sizes 1,7,200] [--workers 1,4]

Replays the files plainly, then once for every seed, batch size and number of workers, shuffled and with a fifth of the
events delivered twice. Prints a line a run with the digest of crosswalk, golden records and review queue; exits with 1
if any two differ, or if the slow reference says otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from itertools import product
from pathlib import Path

from mdm_stream.core.reference import resolve
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.replay.outputs import CROSSWALK_FILE, GOLDEN_FILE, REVIEW_FILE, write_state
from mdm_stream.replay.run import replay
from mdm_stream.replay.schedule import Rejected, disturbed, read_files
from mdm_stream.rules import load_rulesets

DUPLICATE_FRACTION = 0.2


def main() -> int:
    """Run the whole matrix; return the exit code."""
    options = _options()
    rulesets = load_rulesets(options.rules)
    numbers = [[int(n) for n in text.split(",")] for text in (options.batch_sizes, options.workers)]
    with tempfile.TemporaryDirectory() as name, RedisServer() as server:
        folder = Path(name)
        events = [e for e in read_files(options.files, None, None, rulesets) if not isinstance(e, Rejected)]
        write_state(folder, {d: resolve(r, [e for e in events if e.domain == d]) for d, r in rulesets.items()})
        digests = {_digest(folder)}
        print(f"{'reference':<44}{_digest(folder)}", flush=True)
        runs = [(None, 200, 1), *product(range(1, options.seeds + 1), *numbers)]
        for seed, batch_size, workers in runs:
            items = disturbed(
                read_files(options.files, None, None, rulesets), seed, DUPLICATE_FRACTION if seed else 0.0
            )
            stats = replay(items, rulesets, folder, batch_size=batch_size, workers=workers, redis_url=server.url)
            digests.add(_digest(folder))
            label = f"shuffle {seed or '-'}, batch {batch_size}, workers {workers}"
            rest = f"{stats['absorbed']:>7} absorbed {stats['conflicts']:>6} conflicts {stats['events_per_s']:>8}/s"
            print(f"{label:<44}{_digest(folder)}  {rest}", flush=True)
    print(f"{len(runs)} replays, {len(digests)} digest{'s' if len(digests) > 1 else ''}")
    return int(len(digests) > 1)


def _digest(folder: Path) -> str:
    parts = [(folder / name).read_bytes() for name in (CROSSWALK_FILE, GOLDEN_FILE, REVIEW_FILE)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rules", action="append", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch-sizes", default="1,7,200")
    parser.add_argument("--workers", default="1,4")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
