"""``files:`` of a source: what it compiles to, and what is wrong with it, told by line."""

from __future__ import annotations

import pytest
from file_loads import RULES, rulesets

from mdm_stream.core.file_rules import FileRules
from mdm_stream.rules.check import check_file
from mdm_stream.rules.schema import ruleset_schema

LINE = RULES.splitlines().index("    files:") + 1


def problems(tmp_path, files: str, rules: str = RULES) -> list[tuple[int, str]]:
    """Return line and message of each finding."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules.replace("    files:\n", f"    files: {files}\n"))
    return [(each.line, each.message) for each in check_file(path)]


def test_everything_has_a_default(tmp_path):
    """An empty mapping says that files come under domain/source/, and nothing else of them."""
    assert rulesets(tmp_path)["person"].sources["crm"].files == FileRules("person/crm/")


def test_what_is_said_is_compiled(tmp_path):
    """Sizes to bytes, durations to microseconds, one name to a list of one."""
    files = "{prefix: a/, size_max: 2GB, columns: id, columns_exact: true, rows_max: 5, load: full, late_after: 2h}"
    found = rulesets(tmp_path, files)["person"].sources["crm"].files
    assert found == FileRules(
        "a/", size_bytes_max=2_000_000_000, columns=("id",), columns_exact=True, rows_max=5, load="full",
        late_after_us=7_200_000_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("{prefix: /a/}", "not the beginning of a key"),
        ('{name: "x{as_of:%Y}.csv"}', "needs %m or %b"),
        ('{name: "x{date}.csv"}', "has a brace"),
        ('{name: "{as_of:%Y%m%d}{as_of:%Y%m%d}"}', "twice"),
        ("{rows_min: 5, rows_max: 4}", "less than 'rows_min'"),
        ("{columns_exact: true}", "needs 'columns'"),
        ("{columns: [id, first], columns_exact: true, required: frist}", "did you mean 'first'?"),
        ("{size_max: 10}", "wrong type"),
        ("{size_max: 10 apples}", "is not a size"),
        ("{rejected_share_max: 2}", "out of range"),
        ("{late_after: soon}", "is not a duration"),
        ("{load: whole}", "not a known choice"),
        ("{tag: x}", "unknown setting 'tag'"),
        (f"{{tags: {{{', '.join(f't{n}: []' for n in range(11))}}}}}", "at most 10"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path, files, said):
    """Each with what to do."""
    ((line, message),) = problems(tmp_path, files)
    assert line == LINE
    assert said in message


def test_another_format_has_no_files(tmp_path):
    """Rows of files are format csv, whatever their form is."""
    rules = RULES.replace("    format: csv\n", "    format: canonical\n").replace("    key: id\n", "")
    rules = "\n".join(line for line in rules.splitlines() if "deletion" not in line) + "\n"
    ((_, message),) = problems(tmp_path, "{}", rules)
    assert "write 'format: csv'" in message


def test_prefixes_of_two_sources_may_not_overlap(tmp_path):
    """Neither the same one nor one within the other."""
    more = (
        "  erp:\n    format: csv\n    key: id\n    attributes: {email: email}\n    files: {prefix: person/crm/erp/}\n"
    )
    ((line, message),) = problems(tmp_path, "{}", RULES.replace("    files:\n", "    files:\n" + more))
    assert line == LINE + 5
    assert "source 'crm'" in message


def test_they_are_no_part_of_the_digest(tmp_path):
    """They decide nothing about an event that was let in: a changed limit needs no new index."""
    assert rulesets(tmp_path)["person"].digest == rulesets(tmp_path, "{load: full, rows_min: 3}")["person"].digest


def test_editors_know_them():
    """The JSON Schema of rules describes each setting."""
    properties = ruleset_schema()["$defs"]["FilesModel"]["properties"]
    assert all(each.get("description") for each in properties.values())
