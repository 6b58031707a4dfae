"""The page of column types says what the code reads: every type and every kind of column is on it, and no other."""

import re
from pathlib import Path

from mdm_stream.core.column_types import COLUMN_KINDS
from mdm_stream.decode.cdc.semantic_types import SEMANTIC_TYPES
from mdm_stream.rules import load_ruleset

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "column-types.md").read_text("utf-8")


def test_every_semantic_type_is_on_the_page():
    """The first column of the table names each schema that is read or refused, and none that is not known."""
    rows = PAGE.partition("| schema |")[2].partition("\n\n")[0].split("\n")[2:]
    named = [name for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(SEMANTIC_TYPES)


def test_every_kind_of_column_is_on_the_page():
    """The table of what rules may declare has each kind, and none that cannot be declared."""
    rows = PAGE.partition("| `as` |")[2].partition("\n\n")[0].split("\n")[2:]
    named = [name for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1]) if name != "scale"]
    assert sorted(named) == sorted(COLUMN_KINDS)


def test_the_rules_on_the_page_compile(tmp_path):
    """The example is a source of the person pack as it stands."""
    example = PAGE.partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\n{example}")
    assert set(load_ruleset(path).sources["crm"].column_types) == {"DOB", "TAX_NO"}
