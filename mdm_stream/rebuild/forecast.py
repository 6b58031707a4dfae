"""What would become of a domain if something that a source sent were taken out: counted before anything is done.

An epoch is filled from the archive without it, as a rebuild fills one, compared with the live one, and deleted. Nothing
goes live and nothing is published; writers are not held. What is committed while it is filled counts as a difference
too, so on a busy domain the figures are as sharp as the fill is short. A rebuild that runs meanwhile is overtaken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TerminalError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.rebuild.fill import Fill, Filling
from mdm_stream.rebuild.new_epoch import NewEpoch

REFS_PER_READ = 1_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would be different. ``events`` are taken out; ``records`` are source records whose state changes by that.

    ``records_gone`` of these are live now, and would not be. Golden records that are live now: ``golden_changed`` would
    have other content, ``golden_gone`` would not be; ``golden_new`` would be beside them. Of the values that these two
    have now, ``values_changed`` would be others and ``values_gone`` would not be there.
    """

    events: int
    records: int
    records_gone: int
    golden_changed: int
    golden_gone: int
    golden_new: int
    values_changed: int
    values_gone: int


def forecast(
    rules: Ruleset, redis_url: str, namespace: str, archive: Archive, how: Filling, without: Exclusion
) -> Forecast:
    """Return what taking out ``without`` would do. Killed, it leaves an epoch that the next rebuild deletes."""
    client = open_client(redis_url)
    epochs = Epochs(client, rules, namespace)
    live = epochs.live()
    if not live:
        raise TerminalError(f"there is no index of domain {rules.domain!r} to compare with; rebuild it first")
    witnessed = archive.witness(rules.domain)
    epoch = epochs.begin(above=0 if witnessed is None else witnessed.epoch)
    try:
        fill = Fill(rules, redis_url, client, namespace, archive, epoch, how, [without])
        fill.everything()
        return _compared(NewEpoch(client, rules, namespace, live), fill)
    finally:
        epochs.abandon(epoch)
        epochs.drop(epoch)


def _compared(before: NewEpoch, fill: Fill) -> Forecast:
    after, counters = fill.index, fill.counters
    before.look()
    after.look()
    changed = {each for each, digest in before.digests.items() if after.digests.get(each, digest) != digest}
    gone = before.digests.keys() - after.digests.keys()
    differing = live_lost = values_changed = values_gone = 0
    for was, now in _records(before, after, sorted(counters.excluded_refs)):
        differing += was is not None and (now is None or now.revision != was.revision)
        live_lost += was is not None and was.live and (now is None or not now.live)
    contents = dict(after.contents(sorted(changed)))
    for golden_id, content in before.contents(sorted(changed | gone)):
        now_values = _values(contents.get(golden_id))
        for name, value in _values(content).items():
            values_gone += name not in now_values
            values_changed += name in now_values and now_values[name] != value
    return Forecast(
        events=counters.excluded,
        records=differing,
        records_gone=live_lost,
        golden_changed=len(changed),
        golden_gone=len(gone),
        golden_new=len(after.digests.keys() - before.digests.keys()),
        values_changed=values_changed,
        values_gone=values_gone,
    )


def _records(before: NewEpoch, after: NewEpoch, refs: list[str]) -> Iterator[tuple[Record | None, Record | None]]:
    for start in range(0, len(refs), REFS_PER_READ):
        portion = refs[start : start + REFS_PER_READ]
        was, now = before.read_records(portion), after.read_records(portion)
        for ref in portion:
            yield was.get(ref), now.get(ref)


def _values(content: bytes | None) -> dict[str, Any]:
    return {} if content is None else dict(orjson.loads(content)["values"])
