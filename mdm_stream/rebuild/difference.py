"""What a new epoch has to tell the feed: the difference between what was published and what is now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mdm_stream.contracts.golden import PublishedGolden
from mdm_stream.core import changes
from mdm_stream.core.commit import Change
from mdm_stream.core.golden import digest_of_content
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.feed.published import PublishedState


def differences(
    rules: Ruleset,
    published: PublishedState,
    golden: Iterable[tuple[str, bytes]],
    crosswalk: Mapping[str, str],
) -> Iterator[Change]:
    """Yield the changes that lead a reader from what was published to the golden records that are there.

    ``published`` is the last word of the feed on each golden id; ``golden`` yields ids and contents. Upserts come in
    the order given, each once; then the ends, by id. A reader who has applied all that was published, and then these,
    has golden set and crosswalk. What did not change is not told again.
    """
    live = set()
    for golden_id, content in golden:
        if golden_id in live:
            continue  # a scan may give an entry twice
        live.add(golden_id)
        known = published.get(golden_id)
        if known is None or known.digest != digest_of_content(content):
            yield changes.upserted(rules, golden_id, content, _gone(known, crosswalk))
    for known in sorted(published.live(), key=lambda golden: golden.golden_id):
        if known.golden_id not in live:
            yield changes.retired(rules, known.golden_id, known.members, _gone(known, crosswalk), crosswalk)


def _gone(known: PublishedGolden | None, crosswalk: Mapping[str, str]) -> list[str]:
    """Return the members that were published and are of no golden record any more."""
    return [ref for ref in (known.members if known else ()) if ref not in crosswalk]
