"""Which source a table's rows go to, however often and under however many names they come."""

import pytest
from rulesets import ruleset

from mdm_stream.core.ruleset import Source
from mdm_stream.decode.sources import TABLES_KEPT_MAX, IgnoredTableError, SourceCatalogue
from mdm_stream.errors import RejectedEventError

CRM = Source("crm", "debezium", "public.people", ("id",), ignore=("audit.*", "public.log"))
ERP = Source("erp", "debezium", "erp.public.people", ("id",))


@pytest.fixture
def catalogue() -> SourceCatalogue:
    """A catalogue of two tables, one of which is named more precisely."""
    return SourceCatalogue({"person": ruleset("person", ("name",), CRM, ERP)})


def source_of(catalogue: SourceCatalogue, *parts: str) -> str:
    """The source that reads a table, or why there is none."""
    try:
        return catalogue.by_table("debezium", *parts).source.name
    except IgnoredTableError:
        return "ignored"
    except RejectedEventError as error:
        return error.reasons[0].code


def test_the_most_precise_name_of_a_table_counts(catalogue: SourceCatalogue):
    """The rules may leave parts out from the front, a dot may be in a part, and the second row goes where the first
    one went.
    """
    for _ in range(2):
        assert source_of(catalogue, "crm", "public", "people") == "crm"
        assert source_of(catalogue, "erp", "public", "people") == "erp"
        assert source_of(catalogue, "public.people") == "crm"
        assert source_of(catalogue, "erp.public", "people") == "erp"
        assert source_of(catalogue, "erp", "people") == "unknown_table"
        assert source_of(catalogue, "people") == "unknown_table"
        assert source_of(catalogue, "crm", "audit", "people") == "ignored"
        assert source_of(catalogue, "audit", "people") == "ignored"
        assert source_of(catalogue, "crm", "public", "log") == "ignored"


def test_names_that_a_sender_makes_up_take_no_memory(catalogue: SourceCatalogue):
    """Beyond the limit a table is looked up for each of its rows, to the same end; unknown tables are never kept."""
    for number in range(2 * TABLES_KEPT_MAX):
        assert source_of(catalogue, f"database{number}", "public", "people") == "crm"
        assert source_of(catalogue, f"database{number}", "private", "people") == "unknown_table"
    assert len(catalogue._found) == TABLES_KEPT_MAX
    assert source_of(catalogue, "erp", "public", "people") == "erp"
