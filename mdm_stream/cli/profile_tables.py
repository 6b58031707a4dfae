"""``mdm-stream profile --tables``: profiles of an archive's domains by Spark, and what drifted since earlier ones."""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.output import print_json, print_table, progress, say
from mdm_stream.cli.spark_job import started_spark
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import parse_time_us
from mdm_stream.deployment import as_url
from mdm_stream.errors import ConfigurationError
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.profile_drift import ProfileComparison, compare_profiles, read_summary
from mdm_stream.reconcile.profiling import (
    SUMMARY,
    ArchiveUntil,
    ProfileOptions,
    profile_state,
    require_new,
    what_of,
    write_profile,
)
from mdm_stream.reconcile.recompute import recompute
from mdm_stream.reconcile.session import DRIVER_MEMORY
from mdm_stream.reconcile.value_tables import TERM_RECORDS_MIN
from mdm_stream.reconcile.workspace import Workspace

REASONS_SHOWN = 5
DRIFT_SHOWN = 50
MEMORY = re.compile(r"[1-9][0-9]{0,5}[mg]", re.ASCII)


@dataclass(frozen=True, slots=True)
class TablesWanted:
    """What the command was asked for. ``folder`` has a profile in a folder for each domain; ``against`` likewise."""

    folder: Path
    against: Path | None
    until: str | None
    term_records_min: int | None
    cores: int
    memory: str | None
    values: bool
    as_json: bool


def profile_by_spark(wanted: TablesWanted, rulesets: Mapping[str, Ruleset], archive_url: str | None) -> bool:
    """Make the profiles, unless ``archive_url`` is ``None``; show and compare them; return whether anything drifted."""
    if wanted.memory is not None and not MEMORY.fullmatch(wanted.memory):
        raise click.UsageError("--memory is a number with m or g after it, such as 4g")
    rejected: Counter[str] = Counter()
    if archive_url is None:
        if wanted.against is None:
            raise click.UsageError("name --on archive, or with --against two profiles that are there already")
        domains = sorted(path.parent.name for path in wanted.folder.glob(f"*/{SUMMARY}"))
        if not domains:
            raise ConfigurationError(f"{wanted.folder} has no profile; make one with --on archive")
    else:
        domains = sorted(rulesets)
        if wanted.against is not None:
            for domain in domains:
                read_summary(wanted.against / domain)
        _make(wanted, rulesets, as_url(archive_url), rejected)
    documents, drifted = [], False
    for domain in domains:
        document = _document(wanted.folder / domain)
        if wanted.against is not None:
            comparison = compare_profiles(wanted.against / domain, wanted.folder / domain)
            document["drift"] = _drift(comparison)
            drifted = drifted or bool(comparison.drifted)
        documents.append(document)
    if wanted.as_json:
        print_json({"domains": documents, "rejected": dict(rejected.most_common())})
    else:
        _tell_all(documents, rejected)
    return drifted


def _make(wanted: TablesWanted, rulesets: Mapping[str, Ruleset], url: str, rejected: Counter[str]) -> None:
    until_us = None if wanted.until is None else _time_us(wanted.until)
    options = ProfileOptions(wanted.values, wanted.term_records_min or TERM_RECORDS_MIN)
    opened = ArchiveAt(url) if until_us is None else ArchiveUntil(url, until_us)
    for domain in rulesets:
        require_new(wanted.folder / domain)
    with tempfile.TemporaryDirectory(prefix="mdm-stream-profile-") as scratch, progress() as advance:
        done = 0

        def on_stage(_stage: str, _seconds: float) -> None:
            nonlocal done
            done += 1
            advance("stages", done, 0)

        with started_spark(wanted.cores, Path(scratch), wanted.memory or DRIVER_MEMORY) as session:
            for domain, rules in sorted(rulesets.items()):
                profiled_at_us = time.time_ns() // 1_000
                workspace = Workspace(session, str(Path(scratch) / domain), on_stage)
                found = recompute(session, workspace, rules, opened)
                rejected.update(found.counters.rejected)
                profile = profile_state(workspace, rules, found.state, options)
                about = what_of(
                    rules, profiled_at_us=profiled_at_us, until_us=until_us, archive=url, objects=len(found.objects)
                )
                write_profile(profile, wanted.folder / domain, about)
                workspace.remove()


def _document(folder: Path) -> dict[str, Any]:
    """Return what is shown of a profile: its summary, the attributes of all sources together, and the expressions."""
    from pyarrow import parquet  # noqa: PLC0415 - the package archive's

    attributes = parquet.read_table(folder / "attributes", partitioning=None).to_pylist()
    blocks = parquet.read_table(folder / "blocks", partitioning=None).to_pylist()
    shared = parquet.read_table(folder / "shared_values", columns=["attribute"], partitioning=None)
    return {
        **read_summary(folder),
        "folder": str(folder),
        "attributes": [{**row, "reasons": dict(row["reasons"])} for row in attributes],
        "shared_values": dict(Counter(shared.column("attribute").to_pylist())),
        "blocks": blocks,
    }


def _drift(comparison: ProfileComparison) -> dict[str, Any]:
    return {
        "compared": len(comparison.found),
        "too_few_records": comparison.too_few,
        "drifted": [asdict(each) for each in comparison.drifted],
    }


def _tell_all(documents: Sequence[dict[str, Any]], rejected: Counter[str]) -> None:
    for document in documents:
        _tell(document)
    if rejected:
        counts = ", ".join(f"{count:,} {code}" for code, count in rejected.most_common(REASONS_SHOWN))
        say(f"{rejected.total():,} events or rows cannot be read under these rules: {counts}")


def _tell(document: dict[str, Any]) -> None:
    say(f"domain {document['domain']}: {document['records']:,} live records until {document['until']}")
    print_table(
        "attributes, all sources together",
        ("attribute", "complete", "conform", "placeholders", "invalid", "distinct", "unique", "shared by", "outliers"),
        [
            (
                row["attribute"], _share(row["completeness"]), _share(row["conformity"]), f"{row['placeholders']:,}",
                f"{row['invalid']:,}", f"{row['distinct_values']:,}", f"{row['unique_values']:,}",
                f"{row['most_shared']:,}", _number(row["outliers"]),
            )
            for row in document["attributes"]
            if not row["source"]
        ],
    )  # fmt: skip
    for attribute, count in sorted(document["shared_values"].items()):
        say(f"{attribute}: {count:,} values are shared by suspiciously many records")
    print_table(
        "blocking",
        ("key expression", "keys", "without", "suspended", "pairs", "largest", "of linked pairs", "it alone"),
        [
            (
                row["expression"], f"{row['keys']:,}", f"{row['records_without']:,}", f"{row['suspended_keys']:,}",
                f"{row['pairs']:,}", f"{row['largest']:,}", _share(row["share_of_linked"]), f"{row['only']:,}",
            )
            for row in document["blocks"]
        ],
    )  # fmt: skip
    blocking = document["blocking"]
    if blocking["estimated_recall"] is None:
        say(f"{blocking['linked']:,} pairs are linked; too few were found twice to estimate how many blocking misses")
    else:
        say(
            f"{blocking['linked']:,} pairs are linked, of about {blocking['estimated_pairs']:,.0f}: "
            f"blocking finds {_share(blocking['estimated_recall'])}, "
            f"{_share(blocking['estimated_recall_min'])} by the most careful estimate"
        )
    if "drift" in document:
        _tell_drift(document["drift"])
    say(f"tables: {document['folder']}")


def _tell_drift(drift: dict[str, Any]) -> None:
    rows = [
        (
            each["attribute"], each["source"] or "all", each["measure"],
            "" if each["earlier"] is None else f"{each['earlier']:,.4g}",
            "" if each["later"] is None else f"{each['later']:,.4g}",
        )
        for each in drift["drifted"][:DRIFT_SHOWN]
    ]  # fmt: skip
    if rows:
        print_table("drifted", ("attribute", "source", "measure", "earlier", "later"), rows)
        if len(drift["drifted"]) > DRIFT_SHOWN:
            say(f"{len(drift['drifted']) - DRIFT_SHOWN:,} more have drifted; --json lists them")
    else:
        say(f"nothing drifted, of {drift['compared']:,} measures")
    if drift["too_few_records"]:
        say(f"{drift['too_few_records']:,} sources' attributes have too few records to be compared")


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _time_us(text: str) -> int:
    try:
        return parse_time_us(text)
    except ValueError as error:
        raise click.UsageError(f"--until is {error}") from error
