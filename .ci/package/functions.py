"""Lambda functions as zips: wheels unpacked, trimmed, with valid bytecode, the same bytes for the same tree.

A package holds bytecode in the place of its sources: with both it would be a fifth larger. It is that of the Python
which runs this, and for that minor version alone: another one refuses it at once. Nothing in it depends on a file's
time, which an unpacked zip does not keep. A traceback has files and lines, and no text of them.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reach import remove_unreachable
from trim import asked_part, is_kept
from wheels import project, run, sha256_of, shown, third_parties, write_zip

MACHINES: Mapping[str, str] = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of its machines, and those that wheels have."""
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

MB = 1_000_000
UNPACKED_BYTES_MAX = 262_144_000
"""Lambda's own limit of a function with all its layers."""
MANIFEST = "functions.json"
WHERE_IT_RUNS = "/var/task"
"""Where Lambda unpacks a function. Bytecode names its source there, and so says nothing of where it was built."""

Glibc = tuple[int, int]
GLIBCS: Sequence[Glibc] = ((2, 17), (2, 24), (2, 26), (2, 27), (2, 28))
"""What wheels are asked for, oldest first: of two for one release, the one that runs on more systems is taken."""
_NEEDED_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A kind of package: what it installs, what Lambda calls in it, and what it may weigh.

    ``glibc`` is that of the oldest system on which it must run, whatever its wheels are named. ``never`` are packages
    that would show that it carries another function's work; ``without`` are beginnings of paths that it does without,
    beside what every function does.
    """

    lock: str
    handlers: tuple[str, ...]
    zipped_bytes_max: int
    glibc: Glibc
    never: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


NO_REQUESTS = (
    "aws_lambda_powertools/event_handler/",
    "aws_lambda_powertools/utilities/data_classes/",
    "aws_lambda_powertools/utilities/idempotency/",
    "aws_lambda_powertools/utilities/validation/",
)
"""Of Powertools, what answers requests of an API."""
NO_MATCHING = ("numpy", "phonenumbers", "rapidfuzz", "redis")
AMAZON_LINUX_2, AMAZON_LINUX_2023 = (2, 26), (2, 34)

FUNCTIONS: Mapping[str, Function] = {
    "resolve": Function(
        lock="lambda-resolve",
        handlers=("consumers.resolve.handler.handler",),
        zipped_bytes_max=25 * MB,
        glibc=AMAZON_LINUX_2,
        never=("pyarrow", "snowflake"),
        without=NO_REQUESTS,
    ),
    "warehouse": Function(
        lock="lambda-warehouse",
        handlers=("consumers.warehouse.handler.handler",),
        zipped_bytes_max=19 * MB,
        glibc=AMAZON_LINUX_2,
        never=NO_MATCHING,
        without=NO_REQUESTS,
    ),
    "warehouse-lineage": Function(
        lock="lambda-warehouse-lineage",
        handlers=("consumers.warehouse.handler.handler",),
        zipped_bytes_max=22 * MB,
        glibc=AMAZON_LINUX_2,
        never=NO_MATCHING,
        without=NO_REQUESTS,
    ),
    "events-api": Function(
        lock="lambda-events-api",
        handlers=("producers.events_api.handler.handler",),
        zipped_bytes_max=31 * MB,
        glibc=AMAZON_LINUX_2,
        never=("pyarrow", "snowflake"),
    ),
    "files": Function(
        lock="lambda-files",
        handlers=("producers.files.gatekeeper_handler.handler", "producers.files.worker_handler.handler"),
        zipped_bytes_max=60 * MB,
        glibc=AMAZON_LINUX_2023,
        never=("snowflake",),
        without=NO_REQUESTS,
    ),
}


class PackageError(Exception):
    """A package is not what it has to be; the message says of which, and how."""


def build_functions(names: Iterable[str], machines: Iterable[str], into: Path) -> None:
    """Build packages for machines into a folder, with a list of them; ``PackageError`` if one has a fault.

    All are built even where one has a fault.
    """
    into.mkdir(parents=True, exist_ok=True)
    built, faults = [], []
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch) / "own"
        project(own, Path(scratch))
        for name in names:
            for machine in machines:
                entry, found = _build(name, machine, own, into)
                built.append(entry)
                faults += [f"{entry['file']}: {fault}" for fault in found]
    (into / MANIFEST).write_text(json.dumps(built, indent=2) + "\n", "utf-8")
    if faults:
        raise PackageError("\n".join(faults))


def _build(name: str, machine: str, own: Path, into: Path) -> tuple[dict[str, object], list[str]]:
    function, target = FUNCTIONS[name], into / f"{name}-{machine}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        wheels, tree = Path(scratch) / "wheels", Path(scratch) / "tree"
        platforms = [f"manylinux_{major}_{minor}_{MACHINES[machine]}" for major, minor in GLIBCS]
        platforms.insert(1, f"manylinux2014_{MACHINES[machine]}")
        third_parties(wheels, function.lock, platforms, PYTHON)
        for wheel in sorted((*wheels.iterdir(), *own.iterdir())):
            _unpack(wheel, tree, function.without)
        remove_unreachable(tree, function.handlers)
        _compile(tree)
        files = [(path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file()]
        unpacked = sum(path.stat().st_size for _, path in files)
        glibc = max(needed_glibc(path.read_bytes()) for path in tree.rglob("*.so*"))
        write_zip(target, files, zipfile.ZIP_DEFLATED)
        tops = {name.partition("/")[0] for name, _ in files}
    zipped = target.stat().st_size
    entry = {
        "function": name,
        "machine": machine,
        "python": PYTHON,
        "handlers": function.handlers,
        "file": target.name,
        "sha256": sha256_of(target),
        "zipped_bytes": zipped,
        "unpacked_bytes": unpacked,
        "glibc": ".".join(map(str, glibc)),
    }
    sizes = f"{zipped / MB:.1f} MB, unpacked {unpacked / MB:.0f} MB"
    sys.stdout.write(f"{entry['sha256']}  {shown(target)}  {sizes}, for glibc {entry['glibc']}\n")
    sys.stdout.flush()
    return entry, list(_faults(function, zipped, unpacked, glibc, tops))


def _unpack(wheel: Path, tree: Path, without: tuple[str, ...]) -> None:
    """Install a wheel into a folder, but for what a function does without; scripts and headers are no part of it."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = _installed_name(entry.filename)
            if name is not None and not entry.is_dir() and is_kept(name) and not name.startswith(without):
                path = tree / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(asked_part(name, archive.read(entry)))


def _installed_name(name: str) -> str | None:
    """Return where a file of a wheel is installed; None for a script, a header or another that lies elsewhere."""
    release, marker, rest = name.partition(".data/")
    if not marker or "/" in release:
        return name
    kind, _, path = rest.partition("/")
    return path if kind in {"platlib", "purelib"} else None


def _compile(tree: Path) -> None:
    """Put bytecode in the place of every module: the same, in the same order, wherever the tree lies."""
    command = [sys.executable, "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash"]
    run(*command, "-s", str(tree), "-p", WHERE_IT_RUNS, str(tree), PYTHONHASHSEED="0")
    for source in list(tree.rglob("*.py")):
        source.unlink()


def needed_glibc(library: bytes) -> Glibc:
    """Return the newest glibc that a library asks for, which is often older than the one that its wheel is named after.

    ``(0, 0)`` if it asks for none.
    """
    return max(((int(major), int(minor)) for major, minor in _NEEDED_GLIBC.findall(library)), default=(0, 0))


def _faults(function: Function, zipped: int, unpacked: int, glibc: Glibc, tops: set[str]) -> Iterator[str]:
    if zipped > function.zipped_bytes_max:
        yield f"{zipped / MB:.1f} MB, more than its {function.zipped_bytes_max / MB:.1f} MB"
    if unpacked > UNPACKED_BYTES_MAX:
        yield f"{unpacked / MB:.1f} MB unpacked, more than Lambda's {UNPACKED_BYTES_MAX / MB:.1f} MB"
    if glibc > function.glibc:
        yield "it needs glibc {}.{}, its system has {}.{}".format(*glibc, *function.glibc)
    if carried := sorted(tops & set(function.never)):
        yield f"it carries {', '.join(carried)}"
