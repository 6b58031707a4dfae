"""Objects are let in by what is known of them without reading them, and every reason against one is told."""

from __future__ import annotations

import pytest
from file_loads import NOW_US, rulesets

from mdm_stream.core.file_names import file_names
from mdm_stream.errors import ConfigurationError
from producers.files.admission import Admission, AdmittedObject, ObjectFacts, RefusedObject

STRICT = (
    '{prefix: vendors/acme/, name: "people_{as_of:%Y%m%d}*.csv.gz", size_max: 1MB, encryption: kms, '
    "tags: {owner: [crm-team, data-team], contract: []}}"
)
GOOD = {
    "key": "vendors/acme/people_20260131_eu.csv.gz",
    "size_bytes": 1_000_000,
    "written_at_us": NOW_US,
    "encryption": "aws:kms",
    "tags": {"owner": "crm-team", "contract": "x"},
}
JANUARY_US = 1_769_817_600_000_000


def admitted(tmp_path, files: str = STRICT, **changed):
    """Return what comes of an object that is good but for some facts."""
    return Admission(rulesets(tmp_path, files)).admit(ObjectFacts(**{**GOOD, **changed}))


def test_a_good_object_is_admitted_with_the_time_in_its_name(tmp_path):
    """Domain, source and rules follow from the prefix alone."""
    found = admitted(tmp_path)
    assert isinstance(found, AdmittedObject)
    assert (found.domain, found.source, found.as_of_us) == ("person", "crm", JANUARY_US)


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"key": "vendors/other/x.csv"}, ["unknown_prefix"]),
        ({"key": "vendors/acme/clients_20260131.csv.gz"}, ["file_name"]),
        ({"key": "vendors/acme/people_20261331.csv.gz"}, ["file_name"]),
        ({"key": "vendors/acme/sub/people_20260131.csv.gz"}, ["file_name"]),
        ({"size_bytes": 1_000_001}, ["file_too_large"]),
        ({"encryption": "AES256"}, ["not_encrypted"]),
        ({"encryption": None}, ["not_encrypted"]),
        ({"tags": {"owner": "hr"}}, ["tags", "tags"]),
        ({"metadata": {"as-of": "yesterday"}}, ["load_time"]),
        ({"metadata": {"as-of": "2200-01-01"}}, ["load_time"]),
        ({"key": "vendors/acme/x.xlsx", "tags": {}}, ["file_name", "unsupported_form", "tags", "tags"]),
    ],
)
def test_an_object_is_refused_with_every_reason(tmp_path, changed, codes):
    """Under a prefix of a source it is known whose file it would have been."""
    found = admitted(tmp_path, **changed)
    assert isinstance(found, RefusedObject)
    assert [reason.code for reason in found.reasons] == codes
    assert found.source == (None if codes == ["unknown_prefix"] else "crm")


def test_metadata_stands_above_the_name(tmp_path):
    """A time that the sender declared of the object is that of the load."""
    found = admitted(tmp_path, metadata={"as-of": "2026-02-01T00:00:00Z"})
    assert found.as_of_us == JANUARY_US + 86_400_000_000


@pytest.mark.parametrize("suffix", [".xlsx", ".XLS", ".zip", ".7z", ".tar.gz", ".pdf", ".html", ".docx"])
def test_what_holds_no_rows_is_refused_with_advice(tmp_path, suffix):
    """By the end of its name, before it is read."""
    found = admitted(tmp_path, "{}", key=f"person/crm/x{suffix}")
    assert isinstance(found, RefusedObject)
    assert "CSV, NDJSON or Parquet" in found.reasons[0].message


def test_prefixes_of_two_domains_may_not_overlap(tmp_path):
    """An object would have two sources: no gatekeeper starts by such rules."""
    rules = rulesets(tmp_path, "{prefix: vendors/}")["person"]
    with pytest.raises(ConfigurationError, match="prefix of its own"):
        Admission({"person": rules, "company": rules})


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "a/b.csv", False),
        ("?.csv", "ab.csv", False),
        ("a+(b).csv", "a+(b).csv", True),
        ("x_{as_of:%d.%m.%Y %H:%M}.csv", "x_31.01.2026 09:30.csv", True),
        ("*" * 200 + "b", "a" * 900, False),
    ],
)
def test_names_are_matched_as_globs(pattern, name, matches):
    """In linear time, whatever the pattern is."""
    assert (file_names(pattern).match(name) is not None) == matches
