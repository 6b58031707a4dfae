"""``mdm-stream review``: the review queue, and what stewards decide on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.commands.show import ref_of
from mdm_stream.cli.index_options import index_options, open_index, reveal_option
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.cli.steward_channel import ChannelAddress, StewardChannel, record_reference, steward_options
from mdm_stream.core.cluster.review_order import REASONS
from mdm_stream.steward.wording import alike_sentence

if TYPE_CHECKING:
    from mdm_stream.core.model import Verdict
    from mdm_stream.steward.decided_alike import ReviewOrder

LIMIT_MAX = 10_000

order_option = click.option(
    "--order", type=click.Choice(["auto", "teaches", "worth"]), default="auto", show_default=True,
    help="First what says most about other questions (looks at all verdicts), or what puts most pairs right; auto: the "
    "former up to 50,000 records.",
)  # fmt: skip


@click.group()
def review() -> None:
    """The review queue, what teaches or is worth most first; decide on it."""


@review.command("list")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="Items to show.")
@click.option("--reason", "reasons", multiple=True, type=click.Choice(REASONS), help="Only items of this reason.")
@order_option
@index_options
def list_(
    *,
    limit: int,
    reasons: tuple[str, ...],
    order: ReviewOrder,
    state: Path,
    redis_url: str | None,
    namespace: str,
    rules: tuple[str, ...],
    domain: str | None,
    as_json: bool,
) -> None:
    """List the review queue: contradictions first, and then what an answer says or puts right most.

    First come the questions of which many are open and few decided with the same evidence, near the threshold: one
    answer says most about the others. That looks at all verdicts; in a domain of more than 50,000 records, or with
    `--order worth`, those come first of which an answer puts most record pairs right on average.

    Links that were refused between the same two golden records are one item, the strongest of them. Where a SEPARATE
    verdict stands between the two, it comes last.

    No value of a record is shown; `mdm-stream explain A B --values` shows those of a pair.
    """
    from mdm_stream.steward.decided_alike import decided_for  # noqa: PLC0415 - --help does without
    from mdm_stream.steward.review import review_queue  # noqa: PLC0415

    index, ruleset = open_index(state, redis_url, namespace, rules, domain)
    decided = decided_for(order, index, ruleset)
    found = review_queue(index, ruleset, limit=limit, reasons=reasons, decided=decided).document()
    if as_json:
        print_json(found)
        return
    if found["held"] is not None:
        say(f"Writing to domain {ruleset.domain} is held back: {found['held']}")
    print_queue(found)


def print_queue(found: Mapping[str, Any]) -> None:
    """Write the queue for people: a line an item, and below what a refused link hangs on."""
    if not found["total"]:
        say("The review queue is empty.")
        return
    counts = ", ".join(f"{count:,} {_worded(reason)}" for reason, count in found["by_reason"].items())
    headings = ("pair", "reason", "confidence", "members", "worth (pairs)", "evidence")
    rows = [
        (
            f"{ref_of(item['a'])} {ref_of(item['b'])}",
            _worded(item["reason"]),
            f"{item['confidence']:.6f} by {item['rule']}",
            f"{item['a']['members']:,} x {item['b']['members']:,}",
            f"{item['expected_pairs']:,.2f}",
            ", ".join(f"{name}: {level}" for name, level in item["evidence"].items()),
        )
        for item in found["items"]
    ]
    print_table(f"{len(rows):,} of {found['total']:,} items: {counts}", headings, rows, texts=True)
    for item in found["items"]:
        pair = f"{ref_of(item['a'])} {ref_of(item['b'])}"
        if item.get("alike"):
            say(f"{pair}: {alike_sentence(item['alike'])}")
        if item["refused_links"] > 1:
            more = item["refused_links"] - 1
            say(f"{pair}: and {more:,} more link{'s' * (more > 1)} between the same two golden records")
        if item["answered"] and not item["separated"]:
            say(f"{pair}: a SEPARATE verdict stands between other members of the two golden records")
        for separated in item["separated"]:
            say(f"{pair}: {_verdict(separated)}")
            for link in separated["chain"]:
                say(f"    though {_verdict(link)}")
        unlisted = item["separated_count"] - len(item["separated"])
        if unlisted:
            say(f"{pair}: and {unlisted:,} more SEPARATE verdict{'s' * (unlisted > 1)}")


@review.command()
@click.argument("a", metavar="SOURCE/ID")
@click.argument("b", metavar="SOURCE/ID")
@click.argument("verdict", type=click.Choice(["link", "separate", "none"]))
@steward_options
def decide(*, a: str, b: str, verdict: Verdict, steward: str, as_json: bool, **address: Any) -> None:
    """Send a verdict on two records: they are the same (link), are not (separate), or the evidence decides (none).

    It holds whatever becomes of the two records, until a newer one on the same pair. Neither needs to exist yet.
    """
    from mdm_stream.steward.decide import verdict_event, verdict_versions  # noqa: PLC0415 - --help does without

    refs = record_reference(a), record_reference(b)
    channel = StewardChannel(ChannelAddress(**address))
    version = channel.version(refs, lambda state: verdict_versions(state, refs[1]))
    event = verdict_event(channel.rules.domain, refs, verdict, steward=steward, version=version, time_us=channel.now_us)
    channel.send(event, as_json=as_json)


@review.command("next")
@click.option("--steward", metavar="NAME", help="Who decides; it is kept with each decision. Needed but with --json.")
@click.option("--reason", "reasons", multiple=True, type=click.Choice(REASONS), help="Only items of this reason.")
@order_option
@click.option("--signing-key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Sign decisions with the key in this file, whose name is its id.")  # fmt: skip
@reveal_option
@deployment_options(
    "state", "stream", "endpoint", "region", "redis_url", "namespace", "rules", "domain",
    stream="The steward stream; that of the local stack if left out.",
)  # fmt: skip
@json_option
def next_(
    *,
    steward: str | None,
    reasons: tuple[str, ...],
    order: ReviewOrder,
    reveal: bool,
    as_json: bool,
    signing_key: Path | None,
    **where: Any,
) -> None:
    """Decide on the queue, one pair at a time: both records side by side, what differs, what speaks for and against.

    Keys: l link, s separate, k skip, u undo, q quit, ? help; from a pipe, a line each. A verdict is sent at once, as
    `review decide` does; undo sends what stood before. Values are shown as far as it is one's right, sensitive ones
    with --reveal too. --json writes the next item as one document, and asks nothing.
    """
    from mdm_stream.cli.view_rights import sight  # noqa: PLC0415 - --help does without
    from mdm_stream.steward.review_session import ReviewSession  # noqa: PLC0415

    if steward is None and not as_json:
        raise click.UsageError("name who decides with --steward")
    seen = sight(reveal=reveal, values=True, own_stack=where["redis_url"] is None)
    index, ruleset = open_index(*(where[name] for name in ("state", "redis_url", "namespace", "rules", "domain")))
    session = ReviewSession(index, ruleset, reasons=reasons, reveal=seen, order=order)
    if as_json or steward is None:
        print_json(session.document().document())
        return
    from mdm_stream.cli.review_next import ReviewDesk  # noqa: PLC0415

    channel = StewardChannel(ChannelAddress(given_version=None, signing_key=signing_key, **where))
    ReviewDesk(session, channel, steward).run()


def _worded(reason: str) -> str:
    return reason.replace("_", " ")


def _verdict(each: Mapping[str, Any]) -> str:
    held = each["verdict"]
    said = f"verdict {held['verdict']} by {held['steward']}, version {held['version']}" if held else "a verdict"
    return f"{said}, on {ref_of(each['a'])} {ref_of(each['b'])}"
