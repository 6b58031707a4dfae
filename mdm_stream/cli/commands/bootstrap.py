"""``mdm-stream bootstrap``: a domain's first index, feed and warehouse from millions of archived records."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.commands.feed import follow_of
from mdm_stream.cli.commands.rebuild import LOCK_WAIT_MS, published_of, spark_fill, tell_left_out
from mdm_stream.cli.event_inputs import accepted_events, named_inputs
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, say
from mdm_stream.cli.spark_job import SparkHere, spark_here, spark_options
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.core.model import ChangeEvent
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.reconcile.bootstrap import BootstrapReport
    from mdm_stream.warehouse import WarehouseSettings

ROWS_PER_APPEND = 20_000
"""Events of files that are archived at once."""


@click.command()
@click.argument("files", nargs=-1)
@deployment_options("state", "environment", "rules", "domain", rules="Rule sets to resolve by; those of the consumers "
                    "if left out.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Of files; CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option("--source", "sources", multiple=True,
              help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.")  # fmt: skip
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@spark_options
@json_option
def bootstrap(
    *,
    files: tuple[str, ...],
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    domain: str | None,
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    cores: int,
    memory: str,
    work: Path | None,
    as_json: bool,
) -> None:
    """Make the first index of a domain from everything in its archive, and from FILES, which are archived first.

    For more records than the stream should carry. Consumers may run: they wait, and then go on in the stream where they
    were. What the feed would have been told goes into its snapshot and the warehouse. Killed anywhere, run it again
    with the same --work. A domain that has an index already, or that the feed knows, takes `mdm-stream rebuild`. Needs
    the extra 'spark' and Java 17.
    """
    from mdm_stream.index.redis.epochs import has_index  # noqa: PLC0415 - --help does without

    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    deployment = deployment.overridden(rules=rules)
    chosen = _chosen(deployment, domain)
    rejected: Counter[str] = Counter()
    _warehouse_of(deployment)
    if has_index(deployment.redis(), deployment.namespace, chosen.domain):
        raise ConfigurationError(
            f"domain {chosen.domain!r} has an index already, and nothing was archived; files of a domain that is live "
            "go through the stream (mdm-stream publish) or the gatekeeper; its archive: mdm-stream rebuild --spark"
        )
    with phases(quiet=as_json) as advance:
        if files:
            inputs = named_inputs(files, format_, sources, as_of, time.time_ns() // 1_000)
            events = accepted_events(inputs, {chosen.domain: chosen}, rejected, "nothing was archived")
            _archive(deployment, chosen, events, advance, time.time_ns() // 1_000)
        report = _bootstrapped(deployment, chosen, SparkHere(cores, memory, work), advance)
    if as_json:
        print_json({"bootstrapped": asdict(report), "not_accepted": dict(rejected.most_common())})
        return
    _tell(report)
    for code, count in rejected.most_common():
        say(f"  {count:,} events or rows of the files are not accepted by these rules: {code}")


def _chosen(deployment: Deployment, domain: str | None) -> Ruleset:
    rulesets = deployment.rulesets()
    if domain is None and len(rulesets) == 1:
        return next(iter(rulesets.values()))
    if domain not in rulesets:
        have = f"the rules have {', '.join(sorted(rulesets))}"
        raise ConfigurationError(f"name the domain with --domain: {have}" if domain is None else
                                 f"the rules have no domain {domain!r}; {have}")  # fmt: skip
    return rulesets[domain]


def _archive(
    deployment: Deployment, rules: Ruleset, events: Iterator[ChangeEvent], advance: Advance, arrived_us: int
) -> None:
    """Archive the events of files, as arrived at that time. What is archived twice counts once."""
    from mdm_stream.archive import IN_BULK  # noqa: PLC0415 - --help does without
    from mdm_stream.archive.rows import rows_of  # noqa: PLC0415
    from mdm_stream.contracts.change import encode_event  # noqa: PLC0415
    from mdm_stream.decode import Delivery  # noqa: PLC0415

    archive, done = deployment.archive(), 0
    marks = archive.sources(rules.domain).read()
    while portion := list(islice(events, ROWS_PER_APPEND)):
        if held := next((each for each in portion if marks.holds(each)), None):
            source = held.refs[0].partition("/")[0]
            raise ConfigurationError(f"source {source} is held; let it go on first: mdm-stream source release")
        rows = [
            row
            for each in portion
            for row in rows_of(rules.domain, [each], Delivery(encode_event(each), "", arrived_us, "bootstrap"))
        ]
        archive.append(rules.domain, rows, IN_BULK)
        done += len(portion)
        advance("archiving files", done, 0)


def _bootstrapped(deployment: Deployment, rules: Ruleset, how: SparkHere, advance: Advance) -> BootstrapReport:
    from mdm_stream.reconcile.bootstrap import Bootstrap  # noqa: PLC0415 - --help does without

    advance("starting Spark", 0, 0)
    with spark_here(how, "bootstrap") as spark:
        return Bootstrap(
            spark_fill(deployment, rules, *spark),
            deployment.archive(),
            published=published_of(deployment, rules.domain, advance),
            tell=lambda messages: _tell_all(deployment, messages, advance),
            golden=deployment.golden_publisher(),
            has_told=lambda: _knows(deployment, rules.domain),
            on_progress=advance,
        ).run()


def _tell_all(deployment: Deployment, messages: Iterable[bytes], advance: Advance) -> None:
    """Put messages into the feed's snapshots and the warehouse."""
    from mdm_stream.aws.read_shards import StreamReader  # noqa: PLC0415 - --help does without
    from mdm_stream.feed.snapshot import TakeSnapshot  # noqa: PLC0415
    from mdm_stream.feed.snapshot_store import KINDS  # noqa: PLC0415
    from mdm_stream.rebuild.warehouse_fill import WarehouseFill  # noqa: PLC0415
    from mdm_stream.warehouse import open_warehouse  # noqa: PLC0415
    from mdm_stream.warehouse.feed_redaction import redact_message  # noqa: PLC0415

    snapshots, stream, follow = deployment.snapshots(), deployment.golden_stream, follow_of(deployment)
    for kind in KINDS:  # a kind that is first taken later would have nothing of this
        reader = StreamReader(deployment.kinesis(), stream)
        taking = TakeSnapshot(snapshots, reader, stream, follow=follow, redact=redact_message, on_progress=advance)
        taking.run(kind, also=messages)
    settings = _warehouse_of(deployment)
    # No message has made a DuckDB file before this.
    lock_wait_ms = max(settings.lock_wait_ms, LOCK_WAIT_MS)
    with closing(open_warehouse(settings.model_copy(update={"lock_wait_ms": lock_wait_ms}))) as warehouse:
        fill = WarehouseFill(warehouse, follow=follow, on_progress=advance)
        fill.apply(messages)
        advance("filling the warehouse", fill.filled.messages, 0)


def _warehouse_of(deployment: Deployment) -> WarehouseSettings:
    """Return the warehouse's settings: rebuilds learn from it what was told, since the stream never had this."""
    if deployment.warehouse is None:
        raise ConfigurationError(
            "no warehouse is named, and what a bootstrap tells is in no stream: set MDM_WAREHOUSE_* as the consumer "
            "of the feed has it"
        )
    return deployment.warehouse


def _knows(deployment: Deployment, domain: str) -> bool:
    """Tell whether a snapshot of the feed has anything of a domain."""
    from mdm_stream.feed.snapshot_store import KINDS  # noqa: PLC0415 - --help does without

    found = (deployment.snapshots().latest(kind) for kind in KINDS)
    return any(manifest is not None and domain in manifest.positions for manifest in found)


def _tell(report: BootstrapReport) -> None:
    seconds = ", ".join(f"{step} {seconds:,.1f} s" for step, seconds in report.steps.items())
    say(f"{report.domain}: epoch {report.epoch} is live, the domain's first ({seconds})")
    say(f"  rules and F {report.rules_digest}")
    say(f"  {report.records:,} record states, {report.golden:,} golden records")
    say(f"  {report.told:,} messages in the feed's snapshot and the warehouse")
    say(f"  {report.calls:,} calls to Redis, of {report.bytes_written / 2**20:,.1f} MiB")
    if report.later:
        say(f"  {report.later:,} records had events that were archived meanwhile, and were told to the stream")
    tell_left_out(report.rejected, report.faults)
