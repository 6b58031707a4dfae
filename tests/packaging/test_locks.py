"""The lock files name every file that a deployment installs, and agree with the pins and the ranges."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_tree import ROOT

LOCKS = {
    "lambda-files": ("files",),
    "lambda-resolve": ("resolve",),
    "lambda-events-api": ("api",),
    "lambda-warehouse": ("snowflake",),
    "lambda-warehouse-lineage": ("lineage", "snowflake"),
    "glue": ("glue",),
    "kcl": ("otel", "prometheus", "resolve"),
    "otel": ("otel",),
    "postgres-reader": ("capture",),
    "ci": ("dev",),
}
"""What each file is for: the base of the project, and these extras."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNREACHABLE = re.compile(r"NewConnectionError|NameResolutionError|ConnectTimeout|network is unreachable", re.IGNORECASE)
ENTRY = re.compile(r"^(?P<requirement>[^\s#-][^\\\n]*?)(?: \\\n(?P<hashes>(?:    --hash=.*\n?)+))?$", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def lock_file(name: str) -> Path:
    """Return where a lock file lies."""
    return ROOT / "requirements" / f"{name}.lock"


def locked(name: str) -> dict[str, tuple[Requirement, int]]:
    """Return each requirement of a lock file, by canonical name, with how many hashes it has."""
    entries = ENTRY.finditer(lock_file(name).read_text("utf-8"))
    read = [(Requirement(each["requirement"]), len(HASH.findall(each["hashes"] or ""))) for each in entries]
    return {canonicalize_name(requirement.name): (requirement, hashes) for requirement, hashes in read}


def version_of(requirement: Requirement) -> str:
    """Return the one version that a requirement allows."""
    [specifier] = requirement.specifier
    assert specifier.operator == "==", requirement
    return specifier.version


def pins() -> dict[str, str]:
    """Return the version of everything in constraints.txt, by canonical name."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def ranges(extra: str | None) -> list[Requirement]:
    """Return what the project asks for, for its base or with an extra and those that this includes."""
    texts = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    found: list[Requirement] = []
    for requirement in map(Requirement, texts):
        included = requirement.extras if requirement.name == PROJECT["name"] else ()
        found += [each for inner in included for each in ranges(inner)] or [requirement]
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_each_version_is_the_pinned_one_and_has_hashes(name: str) -> None:
    """So that what a deployment runs is what the tests ran on, to the byte."""
    known, everything = pins(), locked("ci")
    for canonical, (requirement, hashes) in locked(name).items():
        assert hashes >= 1, canonical
        if canonical in known:
            assert version_of(requirement) == known[canonical], canonical
        else:
            # Another platform or an older patch of Python needs it; or it builds the project, and is no part of it.
            needed = everything[canonical][0]
            assert needed.specifier == requirement.specifier, canonical
            assert canonical == "setuptools" or needed.marker is not None, canonical


@pytest.mark.parametrize("name", LOCKS)
def test_each_range_is_met(name: str) -> None:
    """Every dependency of the project for these extras is there, in a version that its range allows."""
    found = locked(name)
    for extra in (None, *LOCKS[name]):
        for wanted in ranges(extra):
            requirement, _ = found[canonicalize_name(wanted.name)]
            assert wanted.specifier.contains(version_of(requirement)), wanted


def test_ci_installs_every_pin() -> None:
    """Nothing that is pinned comes without a hash."""
    assert pins().keys() <= locked("ci").keys()


@pytest.mark.parametrize("name", LOCKS)
def test_no_file_says_where_it_was_resolved(name: str) -> None:
    """Which index serves the files is a matter of who installs; the hashes hold for any."""
    text = lock_file(name).read_text("utf-8")
    assert not re.search(r"://|^-(?!-hash)|^ +--(?!hash)", text, re.MULTILINE)
    assert sorted(path.stem for path in (ROOT / "requirements").glob("*.lock")) == sorted(LOCKS)


@pytest.mark.downloads
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", ["lambda-resolve", "lambda-warehouse"])
def test_pip_takes_it_with_hashes_alone(name: str, machine: str, tmp_path: Path) -> None:
    """For both kinds of Lambda, from wheels, without asking what a dependency needs in turn."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]
    for platform in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"):
        command += ["--platform", f"{platform}_{machine}"]
    command += ["--target", str(tmp_path / "none"), "-r", str(lock_file(name))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
