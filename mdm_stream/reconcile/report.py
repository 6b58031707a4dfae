"""What a reconciliation found, as JSON, as a page, and as CloudWatch's metrics. No value of a record is in any of them.

Of each difference the report has its kind, what it is about, and some of the records that it depends on, by their
references: those are what an operator needs for ``mdm-stream show`` and ``explain``, which ask for rights of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mdm_stream.metrics import DEFAULT_NAMESPACE, emf_document
from mdm_stream.reconcile.compare import Reconciliation
from mdm_stream.reconcile.differences import KINDS
from mdm_stream.reconcile.repair import NEEDS_REBUILD, RepairReport

NO_DRIFT, DRIFT = 0, 1
FORMAT = 1

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;margin:1rem 0;width:100%}th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}td.n{text-align:right}code{overflow-wrap:anywhere}.bad{color:#a40000}"
    ".good{color:#0b6b2b}"
)


def exit_code(found: Reconciliation) -> int:
    """Return what a command ends with: 0 without drift, 1 with."""
    return NO_DRIFT if found.is_clean else DRIFT


def as_json(found: Reconciliation, repaired: RepairReport | None = None) -> dict[str, Any]:
    """Return the report as a JSON object."""
    before, after = found.before, found.after
    report: dict[str, Any] = {
        "format": FORMAT,
        "domain": found.domain,
        "drift": sum(found.drift.values()),
        "kinds": {kind: {"count": n, "meaning": KINDS[kind]} for kind, n in sorted(found.drift.items())},
        "position": {
            "epoch": before.epoch,
            "clock": [before.clock, after.clock],
            "sequence": [before.sequence, after.sequence],
        },
        "warehouse": None
        if found.warehouse is None
        else {"epoch": found.warehouse[0], "sequence": found.warehouse[1], "behind": found.warehouse_behind},
        "records": found.records,
        "changed_meanwhile": {"records": found.moved, "differences": found.touched},
        "settled": found.settled,
        "round_trips": found.round_trips,
        "seconds": round(found.seconds, 3),
        "samples": [
            {
                "side": sample.side,
                "kind": sample.kind,
                "item": sample.item,
                "first": sample.first,
                "second": sample.second,
                "refs": list(sample.refs),
            }
            for sample in found.samples
        ],
        "needs_rebuild": sorted(NEEDS_REBUILD.intersection(found.drift)),
    }
    if repaired is not None:
        report["repair"] = {
            "records": repaired.records,
            "rewrites": repaired.rewrites,
            "told": repaired.told,
            "left": repaired.left,
            "failed": list(repaired.failed),
            "rebuild": dict(repaired.rebuild),
        }
    return report


def as_metrics(found: Reconciliation, time_ms: int, namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
    """Return a line in CloudWatch's embedded metric format, with the domain as its only dimension."""
    figures = {
        "Drift": sum(found.drift.values()),
        "DriftKinds": len(found.drift),
        "TouchedDifferences": found.touched,
        "SettledDifferences": found.settled,
        "ReconciledRecords": found.records,
        "ReconcileSeconds": round(found.seconds, 3),
    }
    return emf_document(namespace, time_ms, {"service": "reconcile", "domain": found.domain}, figures)


def as_html(report: Mapping[str, Any]) -> str:
    """Return a report (``as_json``) as one page that needs nothing else. Everything that it shows is escaped."""
    drift, position = report["drift"], report["position"]
    said = "no drift" if not drift else f"{drift:,} differences"
    kinds = "".join(
        f"<tr><td>{escape(kind)}</td><td class=n>{each['count']:,}</td><td>{escape(each['meaning'])}</td></tr>"
        for kind, each in report["kinds"].items()
    )
    samples = "".join(
        f"<tr><td>{escape(each['kind'])}</td><td>{escape(each['side'])}</td><td>{_code(each['first'])}"
        f"{'' if each['second'] is None else ' ' + _code(each['second'])}</td>"
        f"<td>{' '.join(map(_code, each['refs']))}</td></tr>"
        for each in report["samples"]
    )
    facts = [
        ("Epoch", f"{position['epoch']}"),
        ("Commits", " to ".join(f"{clock:,}" for clock in position["clock"])),
        ("Records in the index", f"{report['records']:,}"),
        ("Changed meanwhile, not compared", f"{report['changed_meanwhile']['differences']:,} differences"),
        ("Right on the second look", f"{report['settled']:,}"),
        ("Seconds", f"{report['seconds']:,.1f}"),
    ]
    if report["warehouse"] is not None:
        behind = ", behind the index: not compared again" if report["warehouse"]["behind"] else ""
        facts.append(
            ("Warehouse", f"epoch {report['warehouse']['epoch']}, {report['warehouse']['sequence']:,}{behind}")
        )
    if "repair" in report:
        repair = report["repair"]
        facts.append(("Repaired", f"{repair['records']:,} records, {repair['told']:,} changes told"))
        facts += [("Not repaired", sentence) for sentence in repair["failed"]]
    if report["needs_rebuild"]:
        facts.append(("Needs a new epoch", f"{', '.join(report['needs_rebuild'])}: mdm-stream rebuild"))
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(report["domain"])}: {said}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(report['domain'])}: "
        f'<span class="{"bad" if drift else "good"}">{said}</span></h1><table>{rows}</table>'
        + (f"<h2>Kinds</h2><table><tr><th>Kind<th>Count<th>Meaning</tr>{kinds}</table>" if kinds else "")
        + (f"<h2>Samples</h2><table><tr><th>Kind<th>Side<th>What<th>Records</tr>{samples}</table>" if samples else "")
        + "</body></html>\n"
    )


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
