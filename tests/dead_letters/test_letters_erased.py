"""Events are taken out of dead letters one by one, and what stays is what it was."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest
from letters_at_hand import GOLDEN, both, change, give_up, names, reject

from mdm_stream.dead_letters import DeadEvent, DeadLetters, Selection, read_contents
from mdm_stream.dead_letters.erase import LettersErased, erase_events
from mdm_stream.objects.store import ObjectStore

SECRET = b'"secret"'


def without_secrets(event: DeadEvent) -> Sequence[bytes] | None:
    """Return nothing in the place of an event with a secret."""
    return [] if SECRET in event.delivery.raw else None


def secret(record_id: str) -> bytes:
    """Return an event that is to go."""
    return change(record_id, note="secret")


def events_of(letters: DeadLetters) -> list[DeadEvent]:
    """Return every event of a store."""
    contents = (read_contents(letters.kind, content) for _, content in letters.each_object())
    return [event for each in contents for event in each.events]


def test_only_the_events_that_are_meant_go(objects: ObjectStore) -> None:
    """A quarantined event goes whole, a batch keeps its other events with their places, an empty batch goes."""
    reject(objects, secret("1"), 1)
    kept_id = reject(objects, change("2"), 2)
    give_up(objects, [change("3"), secret("4"), change("5")], 3)
    give_up(objects, [secret("6"), secret("7")], 6, suffix=".json")
    give_up(objects, [change("8")], 8, stream=GOLDEN)
    quarantine, on_failure = both(objects)
    before = {event.delivery.raw: event for event in events_of(on_failure)}
    assert erase_events(quarantine, without_secrets) == LettersErased(events=1, removed=1)
    assert erase_events(on_failure, without_secrets) == LettersErased(events=3, removed=1, rewritten=1)
    assert [letter.letter_id for letter in quarantine.find(Selection())] == [kept_id]
    left = events_of(on_failure)
    assert sorted(event.delivery.raw for event in left) == [change("3"), change("5"), change("8")]
    assert all(before[event.delivery.raw] == event for event in left)
    assert not any(SECRET in objects.get(name) for name in names(objects))
    for letters in (quarantine, on_failure):
        assert erase_events(letters, without_secrets) == LettersErased()


def test_an_event_can_be_replaced_by_what_else_it_said(objects: ObjectStore) -> None:
    """What takes its place has the place on the stream that it had."""
    give_up(objects, [change("1"), secret("2")], 1)
    _, on_failure = both(objects)
    erase_events(on_failure, lambda event: [change("a"), change("b")] if SECRET in event.delivery.raw else None)
    first, *rest = events_of(on_failure)
    assert [event.delivery.raw for event in (first, *rest)] == [change("1"), change("a"), change("b")]
    assert len({event.delivery.position for event in rest}) == 1
    assert first.delivery.position != rest[0].delivery.position


def test_what_a_redrive_has_set_aside_is_looked_into_too(objects: ObjectStore) -> None:
    """And what cannot be read is left as it is."""
    reject(objects, secret("1"), 1)
    give_up(objects, [secret("2"), change("3")], 2)
    for letters in both(objects):
        letters.set_aside(letters.find(Selection())[0], "ab" * 4)
    objects.put("person/" + "0" * 32 + ".json", b'{"raw_base64": "secret')
    for letters in both(objects):
        erase_events(letters, without_secrets)
    assert [event.delivery.raw for event in events_of(both(objects)[1])] == [change("3")]
    assert len(names(objects)) == 2


@pytest.mark.parametrize("payload", [str, dict], ids=["text", "object"])
def test_the_payload_keeps_its_form(objects: ObjectStore, payload: type) -> None:
    """Text stays text, as Lambda writes it, and an object an object; all else in the document stays."""
    give_up(objects, [secret("1"), change("2")], 1)
    [name] = names(objects)
    document = orjson.loads(objects.get(name))
    if payload is dict:
        document["payload"] = orjson.loads(document["payload"])
        objects.put(name, orjson.dumps(document))
    erase_events(both(objects)[1], without_secrets)
    [other] = names(objects)
    assert other != name
    rewritten = orjson.loads(objects.get(other))
    assert isinstance(rewritten["payload"], payload)
    assert {**rewritten, "payload": 0} == {**document, "payload": 0}


def test_a_kill_between_the_two_steps_loses_nothing(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is there twice then, and the next erasure ends it."""
    give_up(objects, [secret("1"), change("2")], 1)
    _, on_failure = both(objects)
    with monkeypatch.context() as patch:
        patch.setattr(objects, "delete", _killed)
        with pytest.raises(KeyboardInterrupt):
            erase_events(on_failure, without_secrets)
    assert len(names(objects)) == 2
    erase_events(on_failure, without_secrets)
    assert [event.delivery.raw for event in events_of(on_failure)] == [change("2")] * 2


def _killed(_: object) -> None:
    raise KeyboardInterrupt
