"""``mdm-stream erase``: a record's values out of every store, a receipt, and the proof that none is left."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.erase_options import Addresses, open_places, place_options
from mdm_stream.cli.output import json_option, print_json, print_table, progress, say
from mdm_stream.cli.steward_channel import record_reference
from mdm_stream.errors import ConfigurationError, TerminalError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.erasure.erase import EraseOptions
    from mdm_stream.erasure.evidence import Remnant
    from mdm_stream.erasure.places import Places
    from mdm_stream.erasure.receipt import Receipt
    from mdm_stream.erasure.search import Searched

EXIT_NOTHING_LEFT, EXIT_SOMETHING_LEFT = 0, 1
FROM_STDIN = "-"


@click.command()
@click.argument("name", metavar="SOURCE/ID")
@click.option("--reason", help="Why; it is kept in the receipt as you write it, so name no person in it.")
@click.option("--verify", is_flag=True, help="Only look for what is left; any number of times.")
@click.option("--all-members", is_flag=True, help="Also every other record of the golden record that it is in.")
@click.option("--values-file", metavar="FILE", help="Values to look for too, a line each; - is standard input.")
@click.option("--even-if-unknown", is_flag=True, help="Also if nothing was ever heard of the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=120.0, show_default=True, metavar="SECONDS",
              help="How long each store may take to apply the erasure.")  # fmt: skip
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="On AWS: how long a consumer may still write what it read before.")  # fmt: skip
@place_options
@json_option
def erase(
    *,
    name: str,
    reason: str | None,
    verify: bool,
    all_members: bool,
    values_file: str | None,
    even_if_unknown: bool,
    yes: bool,
    wait_s: float,
    grace_s: float,
    as_json: bool,
    **addresses: Any,
) -> int:
    """Erase a record for good: its values leave the index, the feed, the warehouse, dead letters and the archive.

    A late delivery of the record stays without effect for ever. The record's key is kept, because that is how such a
    delivery is known. Exit code 0 if nothing is left anywhere, 1 if something is: the output says where, how much and
    until when.
    """
    from mdm_stream.erasure.erase import EraseOptions, members_of  # noqa: PLC0415 - --help does without

    if verify == bool(reason):
        raise click.UsageError("give a --reason to erase, or --verify to look for what is left")
    if verify and all_members:
        raise click.UsageError("--verify looks for one record at a time: an erased one has no members beside it")
    ref = record_reference(name)
    values = _values(values_file)
    places, ruleset = open_places(Addresses(**addresses))
    if verify:
        return _verify(places, ruleset, ref, values, as_json=as_json)
    refs = members_of(places.index, ref) if all_members else [ref]
    return _erase(
        places,
        ruleset,
        refs,
        reason or "",
        values,
        EraseOptions(wait_s=wait_s, grace_s=grace_s),
        even_if_unknown=even_if_unknown,
        yes=yes,
        as_json=as_json,
    )


def _erase(
    places: Places,
    ruleset: Ruleset,
    refs: list[str],
    reason: str,
    values: list[str],
    options: EraseOptions,
    *,
    even_if_unknown: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from mdm_stream.erasure.erase import Erase  # noqa: PLC0415

    with progress() as advance:
        erasure = Erase(places, ruleset, refs, options, on_progress=advance)
        known = erasure.known(values)
    unknown = sorted(set(refs) - known.refs)
    if unknown and not even_if_unknown:
        raise TerminalError(
            f"nothing was ever heard of {', '.join(unknown)}; an erasure cannot be taken back, so check the key, or "
            "say --even-if-unknown to have it refused should it ever come"
        )
    _ask(refs, ruleset.domain, yes=yes)
    with progress() as advance:
        receipt, left, location = Erase(places, ruleset, refs, options, on_progress=advance).run(known, reason)
    if as_json:
        print_json({**receipt.document(), "left": _findings(left), "kept_at": location})
    else:
        _print_receipt(receipt, location)
        _print_left(left)
    return EXIT_SOMETHING_LEFT if left.findings else EXIT_NOTHING_LEFT


def _verify(places: Places, ruleset: Ruleset, ref: str, values: list[str], *, as_json: bool) -> int:
    from mdm_stream.erasure.search import Search  # noqa: PLC0415
    from mdm_stream.erasure.values import Values  # noqa: PLC0415

    with progress() as advance:
        left = Search(places, ruleset, [ref], Values(values, [ref])).run(advance)
    if as_json:
        print_json({
            "nothing_left": not left.findings,
            "left": _findings(left),
            "values_searched": left.values,
            "values_shared": left.shared,
            "values_too_short": left.too_short,
        })  # fmt: skip
    else:
        _print_left(left)
    return EXIT_SOMETHING_LEFT if left.findings else EXIT_NOTHING_LEFT


def _values(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == FROM_STDIN else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--values-file cannot be read as UTF-8 text: {type(error).__name__}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _ask(refs: list[str], domain: str, *, yes: bool) -> None:
    if yes:
        return
    for ref in refs:
        say(f"  {ref}", err=True)
    if not click.confirm(f"Erase {len(refs):,} records of domain {domain} for good?", err=True):
        raise TerminalError("nothing was done")


def _findings(left: Searched) -> list[dict[str, Any]]:
    return [
        {
            "store": each.store,
            "what": each.what,
            "count": each.count,
            "until": _time(each.until_us),
            "where": list(each.where),
        }
        for each in left.findings
    ]


def _time(time_us: int | None) -> str | None:
    from mdm_stream.core.times import format_time_us  # noqa: PLC0415

    return None if time_us is None else format_time_us(time_us)


def _more(remnant: Remnant) -> bool:
    return remnant.count > len(remnant.where)


def _print_receipt(receipt: Receipt, location: str) -> None:
    say(f"Erased {len(receipt.subjects):,} records of domain {receipt.domain}; receipt {receipt.receipt_id}")
    rows = [(name, f"{s.found:,}", f"{s.removed:,}", f"{s.left:,}") for name, s in receipt.stores.items()]
    print_table("", ("store", "found", "removed", "left"), rows)
    for note in receipt.notes:
        say(note)
    say(f"The receipt, without personal data, is kept at {location}")


def _print_left(left: Searched) -> None:
    say(
        f"{left.values:,} values were looked for by their bytes; {left.shared:,} of them are shared with records that "
        f"are not erased, and {left.too_short:,} more are too short to tell: these point to the record only with others"
    )
    if not left.findings:
        say("Nothing is left")
        return
    rows = [(each.store, each.what, f"{each.count:,}", _time(each.until_us) or "") for each in left.findings]
    print_table("Left", ("store", "what", "how many", "goes by itself at"), rows, texts=True)
    for each in left.findings:
        if each.where:
            say(f"{each.store}, {each.what}: {', '.join(each.where)}{' and more' if _more(each) else ''}")
