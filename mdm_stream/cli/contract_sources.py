"""Where earlier documents of contracts come from: a folder, a file, or a commit of the checkout that one is in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.errors import ConfigurationError

IN_CHECKOUT = "mdm_stream/contracts/documents"
"""Where a checkout has them."""
DOCUMENT_BYTES_MAX = 16 * 1024**2
"""Of one document: ours have some ten kilobytes, the largest OpenAPI documents in use a few megabytes."""
DOCUMENTS_MAX = 1_000
_GIT_TIMEOUT_S = 60


def documents_against(reference: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a folder (its JSON files), of a file (one), or of a commit of this checkout.

    ``ConfigurationError`` where there are none, or for what is no JSON object.
    """
    path = Path(reference)
    if path.is_dir():
        return documents_in(path)
    if path.is_file():
        return {path.stem: _parsed(path.name, _read(path))}
    return _of_commit(reference)


def documents_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the documents of a folder by name; raises as ``documents_against``."""
    paths = sorted(folder.glob("*.json"))
    if not 1 <= len(paths) <= DOCUMENTS_MAX:
        raise ConfigurationError(f"{folder} holds {len(paths):,} files *.json: 1 to {DOCUMENTS_MAX:,} are compared")
    return {path.stem: _parsed(path.name, _read(path)) for path in paths}


def _of_commit(reference: str) -> dict[str, dict[str, Any]]:
    if reference.startswith("-") or ":" in reference or not reference:
        raise ConfigurationError(f"{reference!r} is no folder, file or commit; see mdm-stream contracts check --help")
    commit = _git("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    if commit is None:
        raise ConfigurationError(
            f"{reference!r} is no folder or file, and no commit here: run it in a checkout whose history holds the "
            "commit (git fetch), or name a folder with the earlier documents"
        )
    name = commit.decode().strip()
    listed = _git("ls-tree", "--full-tree", "--name-only", "-z", name, f"{IN_CHECKOUT}/") or b""
    paths = [path for path in listed.decode().split("\0") if path.endswith(".json")]
    if not 1 <= len(paths) <= DOCUMENTS_MAX:
        raise ConfigurationError(
            f"commit {reference!r} has no documents in {IN_CHECKOUT}; name a later one, or a folder with documents"
        )
    return {Path(path).stem: _parsed(path, _git("cat-file", "blob", f"{name}:{path}") or b"") for path in paths}


def _git(*arguments: str) -> bytes | None:
    """Return what git prints, or None where it fails or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the reference was looked at
            ["git", *arguments],  # noqa: S607 - the program that PATH names
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(name: str, text: bytes) -> dict[str, Any]:
    if len(text) > DOCUMENT_BYTES_MAX:
        raise ConfigurationError(f"{name} is larger than {DOCUMENT_BYTES_MAX:,} bytes")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{name} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{name} is no JSON object")
    return document
