"""``mdm-stream feed``: snapshots of the golden feed, from which a warehouse can be made anew."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, phases, print_json, say

if TYPE_CHECKING:
    from mdm_stream.contracts.golden import Follow
    from mdm_stream.deployment import Deployment
    from mdm_stream.feed.snapshot import SnapshotReport
    from mdm_stream.feed.snapshot_store import Kind


@click.group()
def feed() -> None:
    """The golden feed: take snapshots of it, which outlive the stream's retention."""


@feed.command()
@deployment_options("state", "environment", "golden_stream", "endpoint", "s3_endpoint", "region", "archive", "claims",
                    "snapshots")  # fmt: skip
@click.option("--newest", is_flag=True,
              help="Keep the newest message of each key alone: a warehouse made of it has no history.")  # fmt: skip
@click.option("--allow-gap", is_flag=True, help="Take it though the stream has dropped messages that none holds.")
@json_option
def snapshot(*, newest: bool, allow_gap: bool, as_json: bool, **where: Any) -> None:
    """Take a snapshot of the golden feed: what the one before holds, and what the stream has had since.

    Run it on a schedule, more often than the stream's retention. The one before stands until the new one is whole.
    """
    from mdm_stream.aws.read_shards import StreamReader  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.feed.snapshot import TakeSnapshot  # noqa: PLC0415
    from mdm_stream.warehouse.feed_redaction import redact_message  # noqa: PLC0415

    found = feed_deployment(**where)
    with phases(quiet=as_json) as advance:
        report = TakeSnapshot(
            found.snapshots(),
            StreamReader(found.kinesis(), found.golden_stream),
            found.golden_stream,
            follow=follow_of(found),
            redact=redact_message,
            on_progress=advance,
        ).run(kind_of(newest=newest), allow_gap=allow_gap)
    if as_json:
        print_json(_document(report))
    else:
        _tell(report)


def kind_of(*, newest: bool) -> Kind:
    """Return which kind of snapshot the options mean."""
    return "newest" if newest else "history"


def follow_of(found: Deployment) -> Follow:
    """Return what gets at the data of claim checks: where they are named to lie, or else where the messages say."""
    from mdm_stream.feed.claims import ClaimReader  # noqa: PLC0415 - --help does without

    return found.claims().fetch if found.archive_url or found.claims_url else ClaimReader()


def feed_deployment(
    *,
    state: Path,
    environment: bool,
    golden_stream: str | None,
    endpoint: str | None,
    s3_endpoint: str | None,
    region: str | None,
    archive: str | None,
    claims: str | None,
    snapshots: str | None,
) -> Deployment:
    """Return where the feed and its stores are: what is named, in the local stack or in the consumers' settings."""
    from mdm_stream.deployment import Deployment  # noqa: PLC0415 - --help does without

    if environment:
        base = Deployment.from_environment(os.environ)
    elif golden_stream and (archive or snapshots):
        base = Deployment.from_addresses(os.environ)
    else:
        base = Deployment.from_local(state)
    named = base.overridden(
        golden_stream=golden_stream,
        kinesis_endpoint_url=endpoint,
        s3_endpoint_url=s3_endpoint,
        region=region,
        archive_url=archive,
    )
    # Another archive than the settings' has claim objects and snapshots of its own beside it.
    return replace(
        named,
        claims_url=claims or ("" if archive else named.claims_url),
        snapshots_url=snapshots or ("" if archive else named.snapshots_url),
    )


def _document(report: SnapshotReport) -> dict[str, Any]:
    manifest = report.manifest
    return {
        "kind": manifest.kind,
        "generation": manifest.generation,
        "stream": manifest.stream,
        "made_at": manifest.made_at,
        "tail_from": manifest.tail_from,
        "marks": manifest.marks,
        "messages": manifest.messages,
        "types": manifest.types(),
        "missing": manifest.missing(),
        "parts": len(manifest.parts),
        "digest": manifest.digest,
        "read": report.read,
        "rewritten": report.rewritten,
        "from_the_oldest": report.from_the_oldest,
        "unreadable": report.unreadable,
        "without_data": report.without_data,
        "left_out": report.left_out,
    }


def _tell(report: SnapshotReport) -> None:
    manifest = report.manifest
    say(
        f"snapshot {manifest.generation} ({manifest.kind}): {manifest.messages:,} messages in {len(manifest.parts):,} "
        f"parts, {report.rewritten:,} of them written; {report.read:,} messages read from {manifest.stream}"
    )
    for kind, count in manifest.types().items():
        say(f"  {count:,} {kind}")
    for place, count in manifest.missing().items():
        say(f"  {count:,} messages of {place} were gone from the stream before a snapshot could hold them", err=True)
    if report.from_the_oldest:
        say("  the stream had dropped what was read of it last; it was read from its oldest message", err=True)
    if report.unreadable:
        say(f"  {report.unreadable:,} messages cannot be read and are left out", err=True)
    if report.without_data:
        say(f"  {report.without_data:,} messages whose claim objects are gone are kept without their data", err=True)
    if report.left_out:
        say(f"  {report.left_out:,} messages of an unknown type name an erased record and are left out", err=True)
