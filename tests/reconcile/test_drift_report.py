"""The report of a comparison: no values, everything escaped, and an exit code."""

from __future__ import annotations

import orjson
import pytest

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.reconcile.compare import Reconciliation, Sample
from mdm_stream.reconcile.differences import KINDS
from mdm_stream.reconcile.repair import RepairReport
from mdm_stream.reconcile.report import as_html, as_json, as_metrics, exit_code


def comparison(**drift: int) -> Reconciliation:
    """Return what a comparison found."""
    before, after = EpochPosition(1, 10, 5), EpochPosition(1, 12, 6)
    found = Reconciliation("person", before, after, records=3, round_trips=4, tables=None)
    found.drift = dict(drift)
    found.samples = [Sample("index", kind, "record", "crm/<b>", None, ("crm/<b>",)) for kind in drift]
    return found


def test_without_drift_a_command_ends_with_0():
    """And the page says so."""
    found = comparison()
    assert exit_code(found) == 0
    assert as_json(found)["drift"] == 0
    assert 'person: <span class="good">no drift</span>' in as_html(as_json(found))


def test_drift_is_counted_named_and_escaped():
    """A reference may hold what a page would take for markup."""
    found = comparison(lost_record=2, ghost_record=1)
    report = as_json(found, RepairReport(records=2, rewrites=1, told=3, rebuild={"ghost_record": 1}))
    assert exit_code(found) == 1
    assert (report["drift"], report["needs_rebuild"]) == (3, ["ghost_record"])
    page = as_html(report)
    assert "<b>" not in page
    assert "crm/&lt;b&gt;" in page
    assert "mdm-stream rebuild" in page
    assert orjson.loads(orjson.dumps(report)) == report


def test_metrics_are_one_line_of_cloudwatch():
    """Each metric that is described has its figure."""
    line = as_metrics(comparison(lost_record=2), 17)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in directive["Metrics"]} <= line.keys()
    assert (line["Drift"], line["DriftKinds"], line["domain"]) == (2, 1, "person")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_meaning(kind):
    """One sentence, for people."""
    assert as_json(comparison(**{kind: 1}))["kinds"][kind]["meaning"] == KINDS[kind]
