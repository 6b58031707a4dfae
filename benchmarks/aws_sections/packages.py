"""Packages of Lambda functions: bytes against their budgets, equal hashes of two builds, and seconds of a cold import.

Seconds are those of the median import by a new interpreter that has the unpacked package alone, on one core and with
the files in memory: what Lambda adds by loading the package is not in them. A Redis answers where one is asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from show import Show

from mdm_stream.local.servers.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / ".ci" / "package")]

from function_packages import build, function_environment, manifest, median_import_s, unpacked  # noqa: E402
from functions import FUNCTIONS, MB, UNPACKED_BYTES_MAX  # noqa: E402

IMPORT_S_MAX = {"resolve": 0.6}
"""Of other functions the seconds are shown."""
IMPORTS = 7
AGAIN = ("resolve", "warehouse")
"""What is built twice."""


def figures(show: Show, scratch: Path) -> None:
    """Build every package, weigh it, and start its handlers."""
    first = scratch / "first"
    built = build(first)
    if not (first / "functions.json").exists():
        raise RuntimeError(built.stderr[-2_000:])
    entries = manifest(first)
    for name, entry in entries.items():
        zipped, most = entry["zipped_bytes"], FUNCTIONS[name].zipped_bytes_max
        show.figure(f"{name}, zipped", f"{zipped / MB:.1f} MB", floor=f"at most {most / MB:g} MB", holds=zipped <= most)
        loose = entry["unpacked_bytes"]
        show.figure(f"{name}, unpacked", f"{loose / MB:.0f} MB", floor=f"at most {UNPACKED_BYTES_MAX / MB:.0f} MB",
                    holds=loose <= UNPACKED_BYTES_MAX)  # fmt: skip
        show.fact(f"{name} needs", f"Python {entry['python']}, glibc {entry['glibc']}")
    show.figure("faults of packages", built.stderr.strip() or "none", floor="none", holds=built.returncode == 0)
    second = scratch / "in another folder"
    built = build(second, *AGAIN)
    same = {name: entry["sha256"] == entries[name]["sha256"] for name, entry in manifest(second).items()}
    show.figure("built again in another folder, equal", sorted(name for name in same if same[name]),
                floor=f"{', '.join(AGAIN)}", holds=built.returncode == 0 and all(same.values()))  # fmt: skip
    with RedisServer() as server:
        environment = function_environment(server.url, scratch)
        for name, entry in entries.items():
            tree = unpacked(first, entry, scratch / name)
            for handler in FUNCTIONS[name].handlers:
                _import(show, name, handler, median_import_s(tree, handler, environment, IMPORTS))


def _import(show: Show, name: str, handler: str, seconds: float) -> None:
    what = f"cold import of {handler.rpartition('.')[0]} ({name})"
    most = IMPORT_S_MAX.get(name)
    if most is None:
        show.fact(what, f"{seconds:.2f} s")
    else:
        show.figure(what, f"{seconds:.2f} s", floor=f"at most {most:g} s", holds=seconds <= most)
