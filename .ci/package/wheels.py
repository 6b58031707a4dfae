"""Wheels that a package is made of, and archives that say nothing of when or where they were written."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "requirements"
NO_TIME = (1980, 1, 1, 0, 0, 0)
BEST_COMPRESSION = 9


def run(*command: str, **more: str) -> str:
    """Run a command in the tree; return what it says."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", **more}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def third_parties(folder: Path, lock: str, platforms: Sequence[str], python: str) -> None:
    """Download the wheels of a lock file, checked by their hashes; of two for one release, for the first platform."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    command += [text for platform in platforms for text in ("--platform", platform)]
    run(*command, "--dest", str(folder), "--requirement", str(LOCKS / f"{lock}.lock"))


def project(folder: Path, scratch: Path) -> None:
    """Build the project's wheel of the files that git tracks, as they are now, with the time of the last commit."""
    tree = scratch / "tree"
    for name in run("git", "ls-files", "-z", "consumers", "mdm_stream", "producers").split("\0"):
        if name and (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tree / name)
    time_s = run("git", "log", "-1", "--format=%ct").strip()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*command, "--wheel-dir", str(folder), str(tree), SOURCE_DATE_EPOCH=time_s)


def write_zip(target: Path, files: Iterable[tuple[str, Path]], compression: int = zipfile.ZIP_STORED) -> None:
    """Write files under their names, in the order of these, into one archive: of the same files always the same."""
    with zipfile.ZipFile(target, "w", compression, compresslevel=BEST_COMPRESSION) as archive:
        for name, path in sorted(files):
            entry = zipfile.ZipInfo(name, NO_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = compression
            archive.writestr(entry, path.read_bytes(), compresslevel=BEST_COMPRESSION)


def sha256_of(path: Path) -> str:
    """Return the digest by which a file is compared and deployed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shown(path: Path) -> str:
    """Return a path from the tree, where it lies in it."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
