"""The page of file rules has every setting and every reason that the code has."""

from __future__ import annotations

import re
from typing import get_args

from source_tree import ROOT

from mdm_stream.decode.files.file_faults import FileCode
from mdm_stream.rules.model import FilesModel

PAGE = (ROOT / "docs" / "reference" / "file-rules.md").read_text("utf-8")
FIRST_CELLS = "\n".join(re.findall(r"^\| (.+?) \|", PAGE, re.MULTILINE))


def test_every_setting_is_on_the_page() -> None:
    """Who writes rules by the page knows all of them."""
    assert {name for name in FilesModel.model_fields if f"`{name}`" not in FIRST_CELLS} == set()


def test_every_reason_is_on_the_page() -> None:
    """Who reads a manifest finds its codes."""
    assert {code for code in get_args(FileCode) if f"`{code}`" not in FIRST_CELLS} == set()


def test_every_warning_is_on_the_page() -> None:
    """Codes of warnings are those that the judge writes."""
    written = set()
    for name in ("judge", "profile"):
        written |= set(re.findall(r'code="(\w+)"', (ROOT / "producers" / "files" / f"{name}.py").read_text("utf-8")))
    assert {code for code in written if f"`{code}`" not in PAGE} == set()
