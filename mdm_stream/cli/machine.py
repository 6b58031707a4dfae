"""The examinations of ``mdm-stream doctor``. Each looks at one thing, changes nothing, and says what it found."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mdm_stream.errors import ConfigurationError

DISTRIBUTION = "mdm-stream"
PYTHON_MIN = (3, 11)
DISK_BYTES_MIN = 200 * 1024**2
DISK_BYTES_WANTED = 2 * 1024**3
MEMORY_BYTES_WANTED = 1024**3
CLOCK_MIN_S = 1_767_225_600
"""2026-01-01T00:00:00Z: no clock of a machine that runs this release is before it."""

assert DISK_BYTES_MIN < DISK_BYTES_WANTED

_JAVA_TIMEOUT_S = 10
_INDEX_TIMEOUT_S = 5.0
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?\s*([^;]*)(?:;(.*))?$")
_CLAUSE = re.compile(r"(>=|<=|==|<|>)\s*([0-9.]+)")
_EXTRA = "local"
_INSTALL = f"pip install '{DISTRIBUTION}[{_EXTRA}]'"

Status = Literal["ok", "absent", "unknown", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``absent`` is something optional that is not there, ``unknown`` what could not be looked at.

    Only ``failed`` stands in the way.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(state: Path | None = None) -> list[Check]:
    """Return every finding about this machine, the needed ones first. ``state``: where the local stack would live."""
    return [
        _python(),
        *_packages(),
        _f(),
        _redis(),
        _ports(),
        _privacy(state or Path.cwd()),
        _disk(state or Path.cwd()),
        _memory(),
        _clock(),
        _authority(),
        *_index_server(),
        _java(),
        _optional("snowflake connector", "snowflake.connector", "snowflake-connector-python", "snowflake"),
    ]


def _authority() -> Check:
    """Say what the policy in the environment lets each stream and key say, or the policy that there is without one."""
    from mdm_stream.decode.authority import RECORD_OPS  # noqa: PLC0415 - may be what is missing here
    from mdm_stream.decode.authority_policy import policy_of  # noqa: PLC0415
    from mdm_stream.settings import ResolveSettings  # noqa: PLC0415

    default = ResolveSettings.model_fields["steward_stream"].default
    try:
        policy = policy_of(os.environ.get("MDM_AUTHORITY", ""), os.environ.get("MDM_STEWARD_STREAM") or default)
    except ConfigurationError as error:
        return Check("authority", "failed", str(error), "see docs/operate/trust-model.md")
    streams = [f"stream {name}: {grant.described()}" for name, grant in sorted(policy.streams.items())]
    keys = [f"key {name}: {grant.described()}" for name, grant in sorted(policy.keys.items())]
    signed = [f"must be signed: {', '.join(sorted(policy.signed_sources))}"] if policy.signed_sources else []
    viewers = [f"viewer {name} {grant.described()}" for name, grant in sorted(policy.viewers.items())]
    found = "; ".join([*streams, *keys, *signed, *viewers])
    lacking = [
        n for n, grant in sorted(policy.streams.items()) if "redrive" in grant.ops and not grant.ops >= RECORD_OPS
    ]
    if lacking:
        advice = f"what is redriven needs its own right there: add upsert, patch and delete to {', '.join(lacking)}"
        return Check("authority", "warning", found, advice)
    return Check("authority", "ok", found)


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        return Check("python", "failed", found, "install Python 3.11 or newer and make the environment anew with it")
    return Check("python", "ok", found)


def _packages() -> Iterator[Check]:
    """Yield a finding for each package that the base and the ``local`` extra require, included extras too."""
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield Check(DISTRIBUTION, "failed", "not installed", f"install it: {_INSTALL}")
        return
    yield Check(DISTRIBUTION, "ok", importlib.metadata.version(DISTRIBUTION))
    wanted = _wanted([parts for each in requirements if (parts := _REQUIREMENT.match(each))])
    yield from (_package(name, versions) for name, versions in wanted.items())


def _wanted(requirements: list[re.Match[str]]) -> dict[str, str]:
    """Return the versions wanted of each package: those of the base, of ``local``, and of the extras it includes."""
    wanted: dict[str, str] = {}
    done: set[str] = set()
    extras = {"", _EXTRA}
    while extras - done:
        extra = (extras - done).pop()
        done.add(extra)
        for parts in requirements:
            if _extra_of(parts) != extra:
                continue
            if parts[1] == DISTRIBUTION:
                extras.update(name.strip() for name in (parts[2] or "").split(","))
            else:
                wanted.setdefault(parts[1], parts[3])
    return wanted


def _extra_of(requirement: re.Match[str]) -> str:
    """Return the extra that a requirement belongs to; nothing for one of the base."""
    named = re.search(r"""extra\s*==\s*["']([^"']+)["']""", requirement[4] or "")
    return named[1] if named else ""


def _package(name: str, wanted: str) -> Check:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "failed", "not installed", _INSTALL)
    if not _satisfies(version, wanted):
        return Check(name, "failed", f"{version}, wanted {wanted.strip()}", f"pip install '{name}{wanted.strip()}'")
    return Check(name, "ok", version)


def _f() -> Check:
    """Find out which F this installation runs: an index that another one has filled must be rebuilt."""
    try:
        from mdm_stream.core.f_version import f_identity  # noqa: PLC0415 - a missing package is a finding

        identity = f_identity()
    except Exception as error:  # noqa: BLE001 - whatever stands in its way is what the caller wants to know
        return Check("f", "failed", f"{type(error).__name__}: {error}", _INSTALL)
    return Check("f", "ok", f"{identity}, digest {identity.digest}")


def _satisfies(version: str, wanted: str) -> bool:
    """Tell whether a version meets clauses such as ``>=1.4,<3``; clauses of other kinds are taken as met."""
    have = _numbers(version)
    for operator, text in _CLAUSE.findall(wanted):
        bound = _numbers(text)
        width = max(len(have), len(bound))
        left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (have, bound))
        met = {">=": left >= right, "<=": left <= right, "<": left < right, ">": left > right, "==": left == right}
        if not met[operator]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``9.1.2.post2`` is (9, 1, 2)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()


def _redis() -> Check:
    """Start the server that the local stack would start, and stop it again."""
    advice = f"{_INSTALL}, or install valkey-server or redis-server"
    try:
        from mdm_stream.local.servers.redis import RedisServer  # noqa: PLC0415 - a missing package is a finding

        started_s = time.monotonic()
        with RedisServer() as server:
            info = server.client().info("server")
            version = info.get("valkey_version") or info.get("redis_version")
            found = f"{server.program.name} {version}, up in {time.monotonic() - started_s:.1f} s"
    except Exception as error:  # noqa: BLE001 - whatever stands in its way is what the caller wants to know
        return Check("redis server", "failed", f"{type(error).__name__}: {error}", advice)
    return Check("redis server", "ok", found)


def _index_server() -> Iterator[Check]:
    """Ask the server that the environment names, if it names one, whether it can hold an index."""
    url = os.environ.get("MDM_REDIS_URL")
    if url:
        yield index_server(url)


def index_server(url: str) -> Check:
    """Ask a server whether it can hold an index; one that does not answer has failed as one that cannot."""
    advice = "see docs/operate/cache.md"
    try:
        from mdm_stream.index.redis.client import cluster_of, open_client, primaries_without_replica  # noqa: PLC0415 - may be what is missing here
        from mdm_stream.index.redis.scripts import translated  # noqa: PLC0415

        with translated():
            client = open_client(url, _INDEX_TIMEOUT_S)
            kind = "one server" if cluster_of(client) is None else "cluster mode"
            alone = primaries_without_replica(client)
    except Exception as error:  # noqa: BLE001 - whatever stands in its way is what the caller wants to know
        return Check("index server", "failed", str(error), advice)
    return Check(
        "index server",
        "ok",
        f"{kind}; it can hold an index, and its user has the rights that scripts need; "
        + (f"{alone} of its primaries without a replica: a crash costs a rebuild" if alone else "replicas follow"),
    )


def _ports() -> Check:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with socket.create_connection(listener.getsockname(), timeout=2):
                return Check("ports on loopback", "ok", "can be bound and reached")
    except OSError as error:
        return Check("ports on loopback", "failed", error.strerror or str(error), "allow connections on 127.0.0.1")


def _privacy(folder: Path) -> Check:
    """Look whether a state folder could be kept here that no other user can swap for another one."""
    from mdm_stream.files import trusted_path  # noqa: PLC0415 - needs what POSIX systems have

    try:
        trusted_path(folder / "state")
    except OSError as error:
        advice = "run `mdm-stream up` with a --state in a folder of your own"
        return Check("this folder", "warning", error.strerror or str(error), advice)
    return Check("this folder", "ok", "no other user can put a state folder of theirs here")


def _disk(folder: Path) -> Check:
    free_bytes = shutil.disk_usage(folder).free
    found = f"{free_bytes / 1024**3:.1f} GiB free"
    if free_bytes < DISK_BYTES_WANTED:
        status: Status = "failed" if free_bytes < DISK_BYTES_MIN else "warning"
        return Check("disk", status, found, "free some space, or work in a folder on another disk")
    return Check("disk", "ok", found)


def _memory() -> Check:
    """Look at what Linux calls available; other systems are not asked."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return Check("memory", "ok", "not known on this system")
    available = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    if available is None:
        return Check("memory", "ok", "not known on this system")
    available_bytes = int(available[1]) * 1024
    found = f"{available_bytes / 1024**3:.1f} GiB available"
    if available_bytes < MEMORY_BYTES_WANTED:
        return Check("memory", "warning", found, "close other programs, or expect a large index not to fit")
    return Check("memory", "ok", found)


def _clock() -> Check:
    now_s = time.time()
    found = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))
    if now_s < CLOCK_MIN_S:
        return Check("clock", "failed", found, "set the machine's clock: AWS refuses requests signed in the past")
    return Check("clock", "ok", found)


def _java() -> Check:
    program = shutil.which("java")
    if program is None:
        return Check("java", "absent", "not on PATH", "needed by `mdm-stream kcl` and by Spark")
    try:
        done = subprocess.run(  # noqa: S603 - the program that PATH names, with a fixed argument
            [program, "-version"], capture_output=True, text=True, timeout=_JAVA_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("java", "warning", f"does not run ({type(error).__name__})", "install Java 17 anew")
    return Check("java", "ok", (done.stderr or done.stdout).partition("\n")[0])


def _optional(name: str, module: str, distribution: str, extra: str) -> Check:
    try:
        present = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is absent
        present = False
    if not present:
        return Check(name, "absent", "not installed", f"pip install '{DISTRIBUTION}[{extra}]'")
    return Check(name, "ok", importlib.metadata.version(distribution))
