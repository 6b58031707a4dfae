"""``mdm-stream rebuild``: a domain's index anew from its archive, while events keep coming."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.clients import aws_client
from mdm_stream.cli.output import Advance, json_option, phases, print_json
from mdm_stream.cli.stack import running_stack, state_option
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.rebuild.published import OpenWarehouse, Published
    from mdm_stream.rebuild.run import RebuildReport
    from mdm_stream.settings import ResolveSettings
    from mdm_stream.warehouse import Warehouse

LOCK_WAIT_MS = 60_000
"""How long the local warehouse's file is waited for while writers are held: its consumer lets go of it a second after
the last batch."""
LOCK_WAIT_BEFORE_MS = 5_000
"""And before that, when the consumer may never be idle."""


@click.command()
@state_option
@click.option(
    "--environment", is_flag=True, help="Take the consumers' settings from MDM_* variables, not from --state."
)
@click.option("--rules", multiple=True, help="Rule sets to resolve by from now on; those of the consumers if left out.")
@click.option("--domain", "domains", multiple=True, help="Only this domain; all that the rules have if left out.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long a consumer may still publish what it read from an index that was lost.")  # fmt: skip
@json_option
def rebuild(
    *,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    domains: tuple[str, ...],
    workers: int,
    grace_s: float,
    as_json: bool,
) -> None:
    """Make a new epoch of the index from the archive, and switch to it. Consumers keep running.

    For an index that is lost or not to be trusted, for new rules, and for a release with another F. Ids stay what they
    were; the golden feed is told the differences to what was published before, and nothing else. Consumers with other
    rules or another F than the new epoch's write nothing until they are started again with the new ones.
    """
    from mdm_stream.rebuild.run import Rebuild, RebuildOptions  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.rules import load_rulesets  # noqa: PLC0415

    settings, open_warehouse = _from_environment() if environment else _from_stack(state)
    rulesets = load_rulesets(rules or settings.rules.split(","))
    unknown = sorted(set(domains) - rulesets.keys())
    if unknown:
        raise ConfigurationError(f"the rules have no domain {unknown[0]!r}; they have {', '.join(sorted(rulesets))}")
    places = _RebuildStores(settings, open_warehouse)
    reports = []
    with phases(quiet=as_json) as advance:
        for domain in domains or sorted(rulesets):
            tell = _of(domain, advance)
            rebuilding = Rebuild(
                rulesets[domain],
                settings.redis_url,
                settings.namespace,
                archive=places.archive,
                golden=places.golden,
                published=places.published(domain, tell),
                options=RebuildOptions(workers=workers, publish_grace_s=grace_s),
                on_progress=tell,
            )
            reports.append(rebuilding.run())
    if as_json:
        print_json({"rebuilt": [asdict(report) for report in reports]})
        return
    for report in reports:
        _tell(report)


class _RebuildStores:
    """Archive and golden feed, as the resolve consumer's settings name them."""

    def __init__(self, settings: ResolveSettings, open_warehouse: OpenWarehouse) -> None:
        from mdm_stream.archive import open_archive  # noqa: PLC0415
        from mdm_stream.feed.claims import ClaimStore, claims_url_of  # noqa: PLC0415
        from mdm_stream.feed.publisher import FeedPublisher  # noqa: PLC0415
        from mdm_stream.objects.store import open_object_store  # noqa: PLC0415

        endpoint = settings.kinesis_endpoint_url or None
        self._client = aws_client("kinesis", endpoint, None)
        self._stream = settings.golden_stream
        self._open_warehouse = open_warehouse
        claims_url = claims_url_of(settings.archive_url, settings.claims_url)
        on_s3 = any(url.startswith("s3:") for url in (settings.archive_url, claims_url))
        s3_client = aws_client("s3", endpoint, None) if on_s3 else None
        self.archive = open_archive(settings.archive_url, s3_client=s3_client)
        self._claims = ClaimStore(open_object_store(claims_url, s3_client=s3_client), claims_url)
        self.golden = FeedPublisher(
            self._client, self._stream, claims=self._claims, record_bytes_max=settings.feed_record_bytes_max
        )

    def published(self, domain: str, advance: Advance) -> Published:
        """Return how to read what was published of a domain."""
        from mdm_stream.feed.reader import FeedReader  # noqa: PLC0415
        from mdm_stream.rebuild.published import PublishedReader  # noqa: PLC0415

        feed = FeedReader(self._client, self._stream, follow=self._claims.fetch)
        return PublishedReader(
            domain, feed, self._open_warehouse, lambda messages: advance("reading feed and warehouse", messages, 0)
        )


def _of(domain: str, advance: Advance) -> Advance:
    return lambda what, done, expected: advance(f"{domain}: {what}", done, expected)


def _from_stack(state: Path) -> tuple[ResolveSettings, OpenWarehouse]:
    from mdm_stream.local.pipeline import resolve_settings  # noqa: PLC0415
    from mdm_stream.warehouse import DuckDbWarehouse  # noqa: PLC0415

    stack = running_stack(state)
    path = Path(stack.warehouse)

    def open_warehouse(is_worth_waiting: bool) -> Warehouse | None:
        # Before the first message has come there is no file, and the feed holds all there is.
        lock_wait_ms = LOCK_WAIT_MS if is_worth_waiting else LOCK_WAIT_BEFORE_MS
        return DuckDbWarehouse(path, read_only=True, lock_wait_ms=lock_wait_ms) if path.exists() else None

    return resolve_settings(state, stack.redis_url, stack.kinesis_endpoint_url, stack.rules), open_warehouse


def _from_environment() -> tuple[ResolveSettings, OpenWarehouse]:
    from mdm_stream.settings import ResolveSettings  # noqa: PLC0415
    from mdm_stream.warehouse import WarehouseSettings, open_warehouse  # noqa: PLC0415

    settings: ResolveSettings = ResolveSettings.from_environment(os.environ)
    return settings, lambda _: open_warehouse(WarehouseSettings.from_environment(os.environ))


def _tell(report: RebuildReport) -> None:
    before = f"in place of epoch {report.replaced}" if report.replaced else "where there was none"
    click.echo(f"{report.domain}: epoch {report.epoch} is live, {before}")
    click.echo(f"  rules and F {report.rules_digest}")
    click.echo(f"  {report.rows:,} archived records, {report.states:,} record states, {report.golden:,} golden records")
    waited = f", waited {report.waited_s:.1f} s for consumers of the lost index" if report.waited_s else ""
    click.echo(f"  filled in {report.fill_s:.1f} s{waited}; held writers for {report.held_s:.1f} s")
    click.echo(f"  {report.told:,} changes told to the golden feed")
    for code, count in sorted(report.rejected.items()):
        click.echo(f"  {count:,} archived records are not accepted by these rules: {code}")
