"""The documents of the contracts, made from the models: JSON Schemas, AsyncAPI, and what producers add (OpenAPI).

``python tests/support/contract_documents.py write`` writes them into the package. ``release`` takes them for those of
the version in pyproject.toml, which `make check` compares with from then on; where something breaks it asks for
``--breaks``. ``check`` compares, as CI does.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.cli.contract_sources import documents_in
from mdm_stream.contracts.asyncapi import asyncapi_document
from mdm_stream.contracts.compatibility import compare_documents
from mdm_stream.contracts.packaged import FOLDER, packaged_documents
from mdm_stream.contracts.schema import contract_names, contract_schema

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "docs" / "reference" / "contracts"
"""Holds one folder, named after the release whose contracts lie in it."""

OF_PRODUCERS = {"openapi": ("events_api.openapi", "openapi_document")}
"""Documents that are not made from ``mdm_stream.contracts``, which knows no producer: the module below ``producers``
and its function that returns the document. What a release has not is left out."""


def version() -> str:
    """Return the project's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def generated() -> dict[str, dict[str, Any]]:
    """Return every document, as the models give it."""
    found = {name: contract_schema(name) for name in contract_names()}
    found["asyncapi"] = asyncapi_document(version())
    for name, (module, function) in OF_PRODUCERS.items():
        if _is_there(f"producers.{module}"):
            found[name] = getattr(importlib.import_module(f"producers.{module}"), function)()
    return {name: orjson.loads(orjson.dumps(document)) for name, document in found.items()}


def text_of(document: Any) -> bytes:
    """Return a document as its file has it."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write(folder: Path, documents: dict[str, dict[str, Any]]) -> None:
    """Write documents into a folder, and remove those that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.stem not in documents:
            path.unlink()
    for name, document in documents.items():
        (folder / f"{name}.json").write_bytes(text_of(document))


def released_folder() -> Path:
    """Return the folder of the contracts that were released last."""
    (folder,) = (path for path in RELEASED.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+\S*", path.name))
    return folder


def release(*, breaks: bool) -> int:
    """Take the present documents for released ones; return the exit code."""
    present = packaged_documents()
    if RELEASED.is_dir():
        broken = [each for each in compare_documents(documents_in(released_folder()), present) if each.breaks]
        for each in broken:
            print(f"{each.verdict} {each.document} {each.where}: {each.what} ({each.why})")
        if broken and not breaks:
            print(f"{len(broken)} changes break someone: say so in the changelog, and repeat with --breaks")
            return 1
        shutil.rmtree(released_folder())
    write(RELEASED / version(), present)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "release", "released"])
    parser.add_argument("--breaks", action="store_true", help="release although something breaks")
    options = parser.parse_args(arguments)
    if options.what == "write":
        write(FOLDER, generated())
    elif options.what == "release":
        return release(breaks=options.breaks)
    else:
        print(released_folder().relative_to(ROOT))
    return 0


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


if __name__ == "__main__":
    sys.exit(main())
