"""A deployment installs only what it needs: each extra alone is enough for what it is for, and the base is small."""

from __future__ import annotations

import base64
import importlib.metadata
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_tree import ROOT, modules, within

DISTRIBUTION = "mdm-stream"

RUNS: dict[str, tuple[str, ...]] = {
    "": (
        "producers",
        "mdm_stream.aws",
        "mdm_stream.contracts",
        "mdm_stream.errors",
        "mdm_stream.feed.reader",
    ),
    "resolve": (
        "consumers.lambda_kinesis",
        "consumers.resolve",
        "mdm_stream.core",
        "mdm_stream.dead_letters",
        "mdm_stream.decode",
        "mdm_stream.engine",
        "mdm_stream.feed",
        "mdm_stream.index",
        "mdm_stream.objects",
        "mdm_stream.profile",
        "mdm_stream.rebuild",
        "mdm_stream.replay",
        "mdm_stream.resolve",
        "mdm_stream.rules",
        "mdm_stream.settings",
        "mdm_stream.steward",
        "mdm_stream.telemetry",
    ),
    "snowflake": ("consumers.warehouse", "mdm_stream.warehouse"),
    "lineage": ("mdm_stream.warehouse.lineage",),
    "otel": ("mdm_stream.telemetry.otel", "mdm_stream.telemetry.otlp", "mdm_stream.telemetry.spans"),
    "prometheus": ("mdm_stream.metrics",),
    "archive": ("mdm_stream.archive",),
    "files": ("producers.files",),
    "postgres": ("producers.postgres",),
    "capture": ("mdm_stream.cli.main", "mdm_stream.cli.commands.capture"),
    "glue": ("consumers.reconcile", "mdm_stream.archive", "mdm_stream.rebuild", "mdm_stream.reconcile"),
    "spark": ("mdm_stream.reconcile",),
    "api": ("producers.events_api",),
    "local": ("mdm_stream", "consumers", "producers"),
}
"""What runs in an install with one extra alone ("" is the base): each package with everything in it."""

FILES_NEED = {
    "mdm_stream.profile.columns": "local",
    "mdm_stream.warehouse.duckdb": "local",
    "mdm_stream.warehouse.lineage.open_lineage": "lineage",
    "mdm_stream.telemetry.otlp": "otel",
    "producers.events_api": "api",
    "producers.files": "files",
    "producers.postgres": "postgres",
}
"""Packages within those above that need another extra, and are imported when they are used."""

HEAVY = ("boto3", "numpy", "pandas", "phonenumbers", "pydantic", "redis")

PRETEND = """
import importlib, importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}: only another extra installs it", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""

IMPORT_ALL = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"

UNREACHABLE = re.compile(r"NewConnectionError|NameResolutionError|ConnectTimeout|network is unreachable", re.IGNORECASE)


def installed_by(extra: str) -> set[str]:
    """The distributions, by canonical name, that an install of this project with one extra brings."""
    found: set[str] = set()
    waiting = [(DISTRIBUTION, frozenset({extra}))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(canonicalize_name(name))
        try:
            listed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for text in listed:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": each}) for each in extras | {""}):
                waiting.append((needed.name, frozenset(needed.extras) or frozenset({""})))
    return found


def absent_from(extra: str) -> set[str]:
    """The import names of everything installed here that an install with one extra would not have."""
    present = installed_by(extra)
    providers = importlib.metadata.packages_distributions()
    return {
        name
        for name, owners in providers.items()
        if not present & {canonicalize_name(owner) for owner in owners} and name not in ("pip", "setuptools")
    }


def run_by(extra: str) -> list[str]:
    """The modules that must be importable with one extra alone."""
    left_out = [package for package, needed in FILES_NEED.items() if needed != extra]
    return [
        module.name
        for module in modules()
        if any(within(module.name, package) for package in RUNS[extra])
        and not any(within(module.name, package) for package in left_out)
        and not module.name.endswith((".__main__", ".launch"))
    ]


def api_keys(tmp_path: Path) -> Path:
    """Return a folder with the key that seals the ids of the events API."""
    folder = tmp_path / "keys"
    folder.mkdir()
    file = folder / "events-api"
    file.write_bytes(base64.b64encode(b"k" * 32))
    file.chmod(0o600)
    return folder


@pytest.fixture
def lambda_environment(redis_url, tmp_path):
    """The environment of a Lambda function, as a handler needs it to build what it builds at cold start."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "MDM_GOLDEN_STREAM": "golden",
        "MDM_API_ID_KEYS": str(api_keys(tmp_path)),
        "MDM_ARCHIVE_URL": (tmp_path / "archive").as_uri(),
        "MDM_CHANGES_STREAM": "changes",
        "MDM_FILES_URL": (tmp_path / "loads").as_uri(),
        "MDM_QUARANTINE_URL": (tmp_path / "quarantine").as_uri(),
        "MDM_REDIS_URL": redis_url,
        "MDM_RULES": str(ROOT / "mdm_stream" / "rules" / "packs" / "person.yaml"),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


@pytest.mark.one_redis
@pytest.mark.parametrize("extra", RUNS, ids=lambda extra: extra or "base")
def test_an_extra_suffices_for_what_it_is_there_for(extra, lambda_environment):
    """Every module that an extra is for can be imported where nothing but that extra is installed."""
    command = [sys.executable, "-c", PRETEND, ",".join(sorted(absent_from(extra))), *run_by(extra)]
    done = subprocess.run(
        command, cwd=ROOT, env=lambda_environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_would_be_noticed():
    """The pretence of an install does what it says: another extra's package cannot be imported."""
    command = [sys.executable, "-c", PRETEND, ",".join(absent_from("")), "duckdb"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "only another extra installs it" in done.stderr


def test_the_base_has_nothing_of_the_engine():
    """A source system that publishes installs no numpy, no Redis client and no matching library."""
    assert not installed_by("") & {"numpy", "redis", "rapidfuzz", "msgpack", "aws-lambda-powertools", "pandas"}
    assert {"numpy", "redis", "rapidfuzz"} <= installed_by("resolve")


@pytest.mark.downloads
@pytest.mark.one_redis
@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", [extra for extra in RUNS if extra != "local"], ids=lambda extra: extra or "base")
def test_each_extra_installs_alone(extra, lambda_environment, tmp_path):
    """A fresh environment with one extra alone, its versions pinned, imports all that the extra is for."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    command += ["-c", str(ROOT / "constraints.txt"), "-e", wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=700, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    environment = {**lambda_environment, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [python, "-c", IMPORT_ALL, *run_by(extra)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_index_in_memory_does_without_redis():
    """What the engine needs of an index, its errors and the index in memory load no client of a server."""
    names = ["memory", "port", "errors"]
    script = f"import sys, mdm_stream.engine.batch, {', '.join(f'mdm_stream.index.{name}' for name in names)}; "
    script += "print(*sorted({n.partition('.')[0] for n in sys.modules} & {'boto3', 'redis', 'valkey'}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


def test_importing_the_package_is_cheap():
    """``import mdm_stream`` alone pulls in no library: what costs time is imported by what needs it."""
    script = "import sys, mdm_stream; print(*sorted({n.partition('.')[0] for n in sys.modules} & set(sys.argv[1:])))"
    command = [sys.executable, "-c", script, *HEAVY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_the_project_can_be_found():
    """The tests run on the checkout that they lie in."""
    import mdm_stream  # noqa: PLC0415

    assert Path(mdm_stream.__file__).is_relative_to(ROOT)


def test_a_frame_without_its_extra_says_what_to_install():
    """Where numpy is absent, asking for ``resolve_frame`` names the extra, and importing the package still works."""
    script = "import sys; sys.modules['numpy'] = None; import mdm_stream; mdm_stream.resolve_frame"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "resolve_frame needs more packages (numpy is missing): pip install 'mdm-stream[local]'" in done.stderr
