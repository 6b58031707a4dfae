"""``mdm-stream archive``: what the archive of accepted records holds, compaction, and whether all of it can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import state_option
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.deployment import ARCHIVE_FOLDER, Deployment
from mdm_stream.errors import ConfigurationError, TerminalError

if TYPE_CHECKING:
    from mdm_stream.archive import Archive

_OPTIONS = (
    state_option,
    click.option(
        "--archive",
        "url",
        envvar="MDM_ARCHIVE_URL",
        show_envvar=True,
        metavar="URL",
        help="An archive other than the local stack's: folder or s3://bucket/prefix.",
    ),
    click.option("--domain", help="Only this domain; all of them if left out."),
    json_option,
)


def _archive_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def archive() -> None:
    """Look at the archive of accepted records, compact it, verify it.

    Without --archive it is that of the local stack in --state, which need not run.
    """


@archive.command("list")
@_archive_options
def list_domains(*, state: Path, url: str | None, domain: str | None, as_json: bool) -> None:
    """Show what the archive holds of each domain, from the names of its objects alone."""
    opened, domains = _open(state, url, domain)
    found = [_summary(opened, each) for each in domains]
    if as_json:
        print_json(found)
        return
    headings = ("domain", "days", "segments", "parts", "stored bytes", "content bytes", "witness")
    rows = [
        (
            each["domain"],
            " to ".join(dict.fromkeys((each["first_day"], each["last_day"]))),
            f"{each['segments']:,}",
            f"{each['parts']:,}",
            f"{each['stored_bytes']:,}",
            f"{each['content_bytes']:,}",
            "-".join(map(str, each["witness"].values())),
        )
        for each in found
    ]
    print_table("", headings, rows)


@archive.command()
@_archive_options
@click.option("--older-than-days", type=click.IntRange(min=0), help="Only days that ended at least this long ago.")
def compact(*, state: Path, url: str | None, domain: str | None, as_json: bool, older_than_days: int | None) -> None:
    """Turn the segments of each day into columnar parts. Consumers and a rebuild may go on meanwhile."""
    opened, domains = _open(state, url, domain)
    before = None
    if older_than_days is not None:
        before = (datetime.now(UTC).date() - timedelta(days=older_than_days)).isoformat()
    done = {each: opened.compact(each, before_day=before) for each in domains}
    if as_json:
        print_json({each: asdict(compaction) for each, compaction in done.items()})
        return
    for each, compaction in done.items():
        say(
            f"{each}: {compaction.objects_replaced:,} objects became {compaction.parts_written:,} parts with "
            f"{compaction.rows_kept:,} rows; {compaction.duplicates_dropped:,} duplicates dropped, "
            f"{compaction.overtaken:,} groups left for the next time"
        )


@archive.command()
@_archive_options
def verify(*, state: Path, url: str | None, domain: str | None, as_json: bool) -> None:
    """Read everything. Exit code 1 if an object is damaged."""
    opened, domains = _open(state, url, domain)
    found = {each: opened.verify(each) for each in domains}
    damaged = [said for verification in found.values() for said in verification.damaged]
    if as_json:
        print_json({each: asdict(verification) for each, verification in found.items()})
    else:
        for each, verification in found.items():
            say(
                f"{each}: {verification.objects:,} objects with {verification.rows:,} rows, "
                f"{len(verification.damaged):,} damaged; {verification.unfinished:,} replacements under way"
            )
    if damaged:
        raise TerminalError("\n".join(damaged))


def _open(state: Path, url: str | None, domain: str | None) -> tuple[Archive, list[str]]:
    """Return the archive and the domains that are meant; ``ConfigurationError`` if there are none such."""
    if url is None:
        if not state.is_dir():
            raise ConfigurationError(
                f"there is no local stack in {state}; name its directory with --state, or --archive"
            )
        url = str(state / ARCHIVE_FOLDER)
    elif "://" not in url and not Path(url).is_dir():
        raise ConfigurationError(f"there is no folder {url}; --archive takes a folder or s3://bucket/prefix")
    opened = Deployment.from_addresses(os.environ).overridden(archive_url=url).archive()
    domains = opened.domains()
    if domain is not None and domain not in domains:
        known = ", ".join(domains) or "none"
        raise ConfigurationError(f"the archive holds nothing of that domain; it has: {known}")
    return opened, domains if domain is None else [domain]


def _summary(opened: Archive, domain: str) -> dict[str, Any]:
    objects, witness = opened.objects(domain), opened.witness(domain)
    days = sorted({each.day for each in objects})
    return {
        "domain": domain,
        "location": opened.location(domain),
        "segments": sum(each.kind == "segment" for each in objects),
        "parts": sum(each.kind == "part" for each in objects),
        "first_day": days[0] if days else "",
        "last_day": days[-1] if days else "",
        "stored_bytes": sum(each.size_bytes for each in objects),
        "content_bytes": sum(each.content_bytes for each in objects),
        "witness": {} if witness is None else asdict(witness),
    }
