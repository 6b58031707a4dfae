"""``mdm-stream profile``: what files of rows hold; what delivered records share; tables about them, by Spark."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.event_inputs import accepted_events, named_inputs, require_files
from mdm_stream.cli.options import archive_url_of, deployment_options
from mdm_stream.cli.output import json_option, print_json, print_table, progress, say
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.deployment import Deployment, running_stack
from mdm_stream.rules import load_rulesets

if TYPE_CHECKING:
    from mdm_stream.cli.profile_tables import TablesWanted
    from mdm_stream.core.fold import Foldable
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.profile.shared import SharedOf, SharedReport, SharedValue

STATES_A_PORTION = 1_000
"""Archived records that are folded together before they are counted: few, as what is counted bounds its own memory."""
PROGRESS_EVERY = 1_000
SHOWN_DEFAULT = 10
REASONS_SHOWN = 5
EXIT_DRIFT = 3


@click.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--shared", is_flag=True, help="The values that suspiciously many records share.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the report on files of rows as a page, too.")  # fmt: skip
@click.option("--on", "on", type=click.Choice(["archive"]), help="Read everything delivered, in place of FILES.")
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Default: CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.",
)
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@click.option("--show-values", is_flag=True, help="Show the values themselves, which are personal data, and the lines.")
@click.option("--top", type=click.IntRange(1), default=SHOWN_DEFAULT, show_default=True, help="Values shown of each.")
@click.option("--tables", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write tables about values and blocking into a new FOLDER, by Spark on this machine.")  # fmt: skip
@click.option("--against", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Say what drifted since the profile in FOLDER; exit code 3 if anything did.")  # fmt: skip
@click.option("--until", metavar="TIME", help="Of --tables: the archive as it was before TIME.")
@click.option(
    "--term-records-min", type=click.IntRange(1), help="Records of a row of the term frequencies; 5 if left out."
)
@click.option("--cores", type=click.IntRange(1), default=2, show_default=True, help="Cores that Spark works on.")
@click.option("--memory", metavar="SIZE", help="Memory of Spark's Java process, such as 4g; 2g if left out.")
@deployment_options("rules", "state", "archive", archive="The archive that --on means; the local stack's if left out.")
@json_option
@click.pass_context
def profile(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    shared: bool,
    html: Path | None,
    on: str | None,
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    show_values: bool,
    top: int,
    tables: Path | None,
    against: Path | None,
    until: str | None,
    term_records_min: int | None,
    cores: int,
    memory: str | None,
    rules: tuple[str, ...],
    state: Path,
    archive: str | None,
    as_json: bool,
) -> None:
    """Say what FILES of rows hold, or what records look like under rules (--shared, --tables).

    Without either, FILES are rows (CSV of any dialect, JSON, NDJSON, Parquet; .gz and .zst too), and no rules are
    needed: what each column means, how complete, distinct and well-formed it is, lengths, order of dates, countries of
    phones, values that many rows share, and likely keys. --html writes it as a page.

    --shared reads event FILES (.gz too), or the archive, and finds placeholders: phones, emails, identifiers,
    dates and addresses that far more records share than
    typical ones, blocking keys past max_block_size, and what counts as a placeholder already; each with its records,
    sources, and with --show-values the lines to add under `placeholders:` of the rules. A record counts once, as it
    is after all that was delivered.

    --tables FOLDER --on archive recomputes the domain by Spark and writes a profile of it: completeness, conformity,
    uniqueness, outliers, shared values, term frequencies, blocking with its estimated recall. --against compares it
    with an earlier one; without --on, FOLDER is a profile that is there already. Exit code 3: something drifted.
    """
    _check_reports(
        files, html, shared=shared, tables=tables is not None, others=bool(on or against or until or format_)
    )
    if not shared and tables is None:
        _of_columns(tuple(map(Path, files)), sources, html, show=show_values, as_json=as_json)
        return
    if tables is not None:
        from mdm_stream.cli.profile_tables import TablesWanted  # noqa: PLC0415 - --help does without

        if files:
            raise click.UsageError("--tables reads the archive: name --on archive in place of files")
        wanted = TablesWanted(tables, against, until, term_records_min, cores, memory, show_values, as_json)
        ctx.exit(_by_spark(wanted, rules, state, archive, read=on is not None))
    if against or until:
        raise click.UsageError("--against and --until belong to --tables")
    if bool(files) == bool(on):
        raise click.UsageError("name event files, or --on archive")
    rulesets = load_rulesets(rules or running_stack(state).rules)
    rejected: Counter[str] = Counter()
    if on:
        events = _archived(rulesets, state, archive, rejected)
    else:
        inputs = named_inputs(files, format_, sources, as_of, time.time_ns() // 1_000)
        events = accepted_events(inputs, rulesets, rejected, "nothing was profiled")
    reports = _reports(events, rulesets)
    documents = [_document(report, top, show=show_values) for report in reports]
    if as_json:
        print_json({"domains": documents, "rejected": dict(rejected.most_common())})
        return
    for document in documents:
        _tell(document, show=show_values)
    _tell_rejected(rejected)


def _tell_rejected(rejected: Counter[str]) -> None:
    if rejected:
        counts = ", ".join(f"{count:,} {code}" for code, count in rejected.most_common(REASONS_SHOWN))
        say(f"{rejected.total():,} events or rows cannot be read under these rules: {counts}")


def _check_reports(files: tuple[str, ...], html: Path | None, *, shared: bool, tables: bool, others: bool) -> None:
    if shared and tables:
        raise click.UsageError("which report? --shared, or --tables FOLDER")
    if not shared and not tables and (others or not files):
        raise click.UsageError("which report? FILES of rows, --shared, or --tables FOLDER")
    if html is not None and (shared or tables):
        raise click.UsageError("--html belongs to the report on FILES of rows; leave --shared and --tables out")


def _of_columns(
    files: tuple[Path, ...], sources: tuple[str, ...], html: Path | None, *, show: bool, as_json: bool
) -> None:
    """Report on the columns of files of rows."""
    from mdm_stream.cli.column_report import documents, tell_files, write_page  # noqa: PLC0415 - --help does without
    from mdm_stream.draft.drafting import profile_files  # noqa: PLC0415

    if sources and len(sources) != len(files):
        raise click.UsageError(f"{len(files)} files and {len(sources)} times --source: name one for each file, or none")
    require_files((str(path), path) for path in files)
    if html is not None and html.exists() and any(html.samefile(path) for path in files):
        raise click.UsageError(f"{html} is a file that is read; name another one for the page")
    with tempfile.TemporaryDirectory(prefix="mdm-stream-profile-") as folder, progress() as advance:
        found = documents(profile_files(files, Path(folder), advance, sources), show=show)
    if html is not None:
        write_page(html, found)
    if as_json:
        print_json({"files": found})
        return
    tell_files(found)
    if html is not None:
        say(f"{html}: the same as a page")


def _by_spark(wanted: TablesWanted, rules: tuple[str, ...], state: Path, archive: str | None, *, read: bool) -> int:
    """Profile by Spark, or compare what is there if not ``read``; return the exit code."""
    from mdm_stream.cli.profile_tables import profile_by_spark  # noqa: PLC0415 - --help does without

    rulesets = load_rulesets(rules or running_stack(state).rules) if read else {}
    return EXIT_DRIFT if profile_by_spark(wanted, rulesets, archive_url_of(state, archive) if read else None) else 0


def _reports(events: Iterator[Foldable], rulesets: Mapping[str, Ruleset]) -> list[SharedReport]:
    from mdm_stream.profile.shared import SharedValues  # noqa: PLC0415 - --help does without

    with ExitStack() as stack:
        advance = stack.enter_context(progress())
        counted = {domain: SharedValues(rules) for domain, rules in rulesets.items()}
        for each in counted.values():
            stack.callback(each.close)
        for done, event in enumerate(events, start=1):
            counted[event.domain].add(event)
            if not done % PROGRESS_EVERY:
                advance("events", done, 0)
        return [each.report(lambda done: advance("records", done, 0)) for each in counted.values()]


def _archived(
    rulesets: Mapping[str, Ruleset], state: Path, url: str | None, rejected: Counter[str]
) -> Iterator[Foldable]:
    from mdm_stream.decode import Decoder  # noqa: PLC0415 - --help does without
    from mdm_stream.rebuild.load import LoadCounters, states_of  # noqa: PLC0415

    archive = Deployment(archive_url=archive_url_of(state, url)).archive()
    for domain, rules in rulesets.items():
        counters, decoder = LoadCounters(), Decoder({domain: rules}, archived=True)
        rows, marks = archive.read_new(domain, set()), archive.sources(domain).read()
        for portion in states_of(rows, domain, decoder, counters, STATES_A_PORTION, marks.exclusions):
            yield from portion
        rejected.update(counters.rejected)


def _document(report: SharedReport, top: int, *, show: bool) -> dict[str, Any]:
    from mdm_stream.profile.columns.report import masked  # noqa: PLC0415 - --help does without

    shown: Callable[[str], str] = str if show else masked

    def value_of(value: SharedValue) -> dict[str, Any]:
        found = asdict(value) | {"value": shown(value.value)}
        del found["listable"]
        return {name: each for name, each in found.items() if each != ""}

    def groups(some: tuple[SharedOf, ...]) -> list[dict[str, Any]]:
        return [asdict(group) | {"values": [value_of(value) for value in group.values[:top]]} for group in some]

    return {
        "domain": report.domain,
        "records": report.records,
        "shared": groups(report.attributes),
        "suspended": groups(report.suspended),
        "set_aside": groups(report.set_aside),
        "set_aside_reasons": dict(report.reasons),
        "placeholders": list(report.lines) if show else len(report.lines),
    }


def _tell(document: dict[str, Any], *, show: bool) -> None:
    say(f"domain {document['domain']}: {document['records']:,} live records")
    for title, groups in (
        ("shared by suspiciously many records", document["shared"]),
        ("blocking keys that are suspended", document["suspended"]),
        ("set aside as placeholders already", document["set_aside"]),
    ):
        rows = [
            (
                group["name"],
                " ".join(part for part in (value["value"], value.get("digest", "")) if part),
                f"{value['records']:,}",
                f"{value['share']:.1%}",
                ", ".join(f"{source} {count:,}" for source, count in value["sources"].items()),
                value.get("set_aside_by") or (f"from {group['suspicious_from']:,} on"),
            )
            for group in groups
            for value in group["values"]
        ]
        if rows:
            print_table(title, ("of", "value", "records", "share", "by source", "because"), rows, texts=True)
        for group in groups:
            if group["found"] > len(group["values"]):
                say(f"{group['name']}: {group['found'] - len(group['values']):,} more values are not shown (--top)")
    if not document["shared"] and not document["suspended"]:
        say("no value is shared by suspiciously many records")
    elif not show:
        say("--show-values shows the values, and the lines to add under placeholders: of the rules")
    if show and document["placeholders"]:
        say("to list them, after a look at each, add to the rules:")
        say("placeholders:")
        for line in document["placeholders"]:
            say(f"  {line}")
