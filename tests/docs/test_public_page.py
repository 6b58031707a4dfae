"""What docs/reference/public-api.md names is there, and its examples do what they say."""

from __future__ import annotations

import importlib
import re

import pytest
from source_tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "public-api.md").read_text("utf-8")
NAMES = sorted(set(re.findall(r"`((?:mdm_stream|producers)(?:\.\w+)+)`", PAGE)))
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name):
    """A name on the page is a module, or something in one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs(example):
    """The examples are tests of their own: they assert what they show."""
    assert "assert" in example
    exec(compile(example, "public-api.md", "exec"), {})
