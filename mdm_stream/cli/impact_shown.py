"""What people are shown of an impact: that of rules that were not switched to yet, or of a switch that was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdm_stream.cli.output import print_table, say

SAMPLES_SHOWN = 5
"""Of each kind; JSON and the page have all."""


def show_impact(document: Mapping[str, Any]) -> None:
    """Write an impact (``reconcile.impact.as_json``) as tables and lines."""
    from mdm_stream.reconcile.impact import CLUSTER_KINDS, SAMPLE_KINDS  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.impact_report import FACTS  # noqa: PLC0415

    golden = document["golden"]
    say(f"{document['domain']}: {golden['before']:,} golden records become {golden['after']:,}")
    rows = [
        (kind, f"{each['before']:,}", f"{each['after']:,}", f"{each['records']:,}", CLUSTER_KINDS[kind])
        for kind, each in document["clusters"].items()
        if each["before"] or each["after"]
    ]
    print_table("Clusters", ("kind", "before", "after", "records", "which are"), rows, texts=True)
    for fact in FACTS:
        say(fact(document))
    values = [
        (attribute, *(f"{each[name]:,}" for name in ("changed", "gained", "lost")))
        for attribute, each in document["values"].items()
    ]
    if values:
        print_table("Golden records with another value", ("attribute", "changed", "gained", "lost"), values)
    for kind in SAMPLE_KINDS:
        for sample in [each for each in document["samples"] if each["kind"] == kind][:SAMPLES_SHOWN]:
            say(f"  {sample_line(sample)}")


def sample_line(sample: Mapping[str, Any]) -> str:
    """Return one sample as a line."""
    others = ", ".join(sample["others"])
    more = sample["others_count"] - len(sample["others"])
    said = f"{sample['kind']} {sample['item']}"
    if others:
        said += f": {others}" + (f" and {more:,} more" if more else "")
    of_records = sample["kind"] not in ("opened", "closed") and sample["refs"]
    return said + (f" (records {', '.join(sample['refs'])})" if of_records else "")


def write_impact(folder: Path | None, document: Mapping[str, Any]) -> None:
    """Write an impact into a folder, if one was named, as JSON and as a page."""
    from mdm_stream.reconcile.impact_report import as_html  # noqa: PLC0415 - --help does without

    if folder is None:
        return
    import orjson  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{document['domain']}.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    (folder / f"{document['domain']}.html").write_text(as_html(document), encoding="utf-8")
