"""Taking single events out of dead letters: a quarantined one goes whole, a batch is written again without them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from mdm_stream.dead_letters.contents import DeadEvent, read_contents
from mdm_stream.dead_letters.letters import DeadLetters
from mdm_stream.errors import TerminalError

Rest = Callable[[DeadEvent], Sequence[bytes] | None]
"""Returns what takes an event's place: nothing, if all of it is to go, or the bytes of what else it said. ``None``
leaves the event as it is."""


@dataclass(frozen=True, slots=True)
class LettersErased:
    """What became of a store: events taken out, objects removed whole, objects written again without some events."""

    events: int = 0
    removed: int = 0
    rewritten: int = 0


def erase_events(
    letters: DeadLetters, rest: Rest, is_to_go: Callable[[bytes], bool] = lambda _content: False
) -> LettersErased:
    """Take events out of every object of a store. Idempotent; cut short, it leaves nothing half-done in any object.

    An object that cannot be read, and so cannot be redriven, is one event at most in the quarantine: it goes if
    ``is_to_go`` says so. One of the on-failure destination is left as it is.
    """
    events = removed = rewritten = 0
    for name, content in letters.each_object():
        try:
            held = read_contents(letters.kind, content)
        except TerminalError:
            if letters.kind == "quarantine" and is_to_go(content):
                letters.remove([name])
                removed += 1
            continue
        replacements = [rest(event) for event in held.events]
        going = sum(each is not None for each in replacements)
        if not going:
            continue
        events += going
        kept = None if letters.kind == "quarantine" else _batch_without(content, replacements)
        if kept is None:
            letters.remove([name])
            removed += 1
        else:
            letters.replace(name, kept)
            rewritten += 1
    return LettersErased(events, removed, rewritten)


def _batch_without(content: bytes, replacements: Sequence[Sequence[bytes] | None]) -> bytes | None:
    """Return a batch's document with events replaced; ``None`` if no event is left. The document must be readable."""
    document = orjson.loads(content)
    payload = document["payload"]
    event = orjson.loads(payload) if isinstance(payload, str) else payload
    kept = []
    for record, replacement in zip(event["Records"], replacements, strict=True):
        if replacement is None:
            kept.append(record)
            continue
        for raw in replacement:
            kinesis = {**record["kinesis"], "data": base64.b64encode(raw).decode("ascii")}
            kept.append({**record, "kinesis": kinesis})
    if not kept:
        return None
    changed = {**event, "Records": kept}
    document["payload"] = orjson.dumps(changed).decode() if isinstance(payload, str) else changed
    return orjson.dumps(document)
