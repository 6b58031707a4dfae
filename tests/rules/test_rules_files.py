"""What rules say of a source's files: how CSV is written, forms of times, and the column that tells deletions."""

import pytest

from mdm_stream.core.ruleset import CsvForm, DeletionFlag
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset


def declared(tmp_path, settings):
    """The compiled source of a rule set with these settings, which stand in its line 4."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\nsources:\n  feed: {{format: csv, {settings}}}\n")
    return load_ruleset(path).sources["feed"]


def test_the_settings_of_files_are_compiled(tmp_path):
    """Each has its place in the source; a form of versions makes them times; a flag's capitals do not count."""
    source = declared(
        tmp_path,
        "csv: {delimiter: ';', encoding: cp1252, quote: \"'\"}, deletion: {column: state, values: [X, Gone]}, "
        "version: rev, version_format: '%d.%m.%Y %H:%M', event_time: seen, event_time_format: '%Y%m%d'",
    )
    assert source.csv == CsvForm(";", "'", "cp1252")
    assert source.deletion == DeletionFlag("state", ("gone", "x"))
    assert (source.version_kind, source.version_format) == ("time", "%d.%m.%Y %H:%M")
    assert source.event_time_format == "%Y%m%d"
    assert declared(tmp_path, 'csv: {delimiter: "\\t"}').csv.delimiter == "\t"
    plain = declared(tmp_path, "trust: 0.5")
    assert (plain.csv, plain.deletion, plain.version_kind) == (CsvForm(), None, "integer")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("csv: {delimiter: ab}", "delimiter"),
        ("csv: {encoding: ebcdic}", "encoding"),
        ("csv: {delimeter: ';'}", "did you mean 'delimiter'"),
        ("version_format: '%d.%m.%Y'", "column that is not named"),
        ("version: rev, version_format: 'dd.mm.yyyy'", "needs %Y or %y"),
        ("version: rev, version_format: '%d.%m.%Y %Q'", "has %Q and none but"),
        ("version: rev, version_format: '%d.%m.%Y', version_kind: integer", "versions are integer"),
        ("event_time: seen, event_time_format: '%d.%m'", "needs %Y or %y"),
        ("deletion: {column: state, values: ['']}", "has an empty one"),
        ("deletion: {column: state}", "values"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_line(tmp_path, settings, said):
    """The error names the file, the line, the setting and what is wrong with it."""
    with pytest.raises(RulesError) as caught:
        declared(tmp_path, settings)
    assert said in str(caught.value)
    assert "rules.yaml:4" in str(caught.value)


def test_a_database_log_has_no_such_settings(tmp_path):
    """They are about files of rows: a log's decoder knows its forms."""
    path = tmp_path / "rules.yaml"
    settings = "format: dms, table: t, key: id, csv: {delimiter: ';'}"
    path.write_text(f"extends: person\nversion: 1\nsources:\n  feed: {{{settings}}}\n")
    with pytest.raises(RulesError, match="'csv' has no meaning with format dms"):
        load_ruleset(path)
