"""What a change of an AsyncAPI 3 document means: its channels, operations and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mdm_stream.contracts.compatibility.branches import SchemaReader, text_of
from mdm_stream.contracts.compatibility.findings import ContractChange, Party, UncomparableError, breaking, safe
from mdm_stream.contracts.compatibility.schemas import ComparedPlace, Direction, SchemaComparison

_PARTY: dict[str, tuple[Direction, Party]] = {
    "receive": ("consumed", "producer"),
    "send": ("produced", "subscriber"),
}
"""What the application receives somebody else produces; what it sends somebody else reads."""


def asyncapi_findings(name: str, old: SchemaReader, new: SchemaReader) -> Iterator[ContractChange]:
    """Yield what changed between two AsyncAPI documents. ``UncomparableError``."""
    versions = [str(each.root["asyncapi"]).split(".")[0] for each in (old, new)]
    if versions[0] != versions[1]:
        raise UncomparableError(f"AsyncAPI {versions[0]} and {versions[1]} cannot be compared")
    yield from _of_servers(name, old, new)
    before, after = (each.root.get("operations", {}) for each in (old, new))
    for key in sorted({*before, *after}):
        if key not in before:
            yield safe(name, key, "is a new operation", "nothing was said of it before")
        elif key not in after:
            party = _PARTY[before[key]["action"]][1]
            yield breaking(party, name, key, "the operation is removed", "who takes part in it is left alone")
        else:
            yield from _Operation(name, key, old, new).findings()


def _of_servers(document: str, old: SchemaReader, new: SchemaReader) -> Iterator[ContractChange]:
    """Both sides go to a server: what changes of it is told to each."""
    before, after = (each.root.get("servers", {}) for each in (old, new))
    for name in sorted({*before, *after}):
        where = f"server {name}"
        if name not in before:
            yield safe(document, where, "is a new server", "those before it are there still")
            continue
        first, second = old.followed(before[name]), new.followed(after.get(name))
        for _, party in _PARTY.values():
            if second is None:
                yield breaking(party, document, where, "the server is removed", "there is nothing to go to")
                continue
            for key in ("host", "protocol", "pathname", "variables", "bindings"):
                if _meaning(first.get(key)) != _meaning(second.get(key)):
                    yield breaking(party, document, where, f"{key} differs", "that it is safe cannot be shown")
            yield from _of_security(document, where, party, (old, first), (new, second))


class _Operation:
    """One operation in both documents."""

    def __init__(self, document: str, key: str, old: SchemaReader, new: SchemaReader) -> None:
        self._document, self._key = document, key
        self._old, self._new = old, new
        self._comparison = SchemaComparison(old, new)
        self._before = old.followed(old.root["operations"][key])
        self._after = new.followed(new.root["operations"][key])
        self._direction, self._party = _PARTY[self._before["action"]]

    def findings(self) -> Iterator[ContractChange]:
        """Yield what changed of the operation, its channel and its messages."""
        if self._before["action"] != self._after["action"]:
            yield self._breaks("", f"action {self._before['action']} -> {self._after['action']}", "sides have changed")
            return
        yield from self._of_channel()
        yield from _of_security(
            self._document, self._key, self._party, (self._old, self._before), (self._new, self._after)
        )
        before, after = (
            _messages(reader, operation) for reader, operation in ((self._old, self._before), (self._new, self._after))
        )
        for name in sorted({*before, *after}):
            if name not in after:
                yield self._breaks(name, "the message is removed", "it is sent or expected no more")
            elif name not in before:
                yield self._added(name)
            else:
                yield from self._of_message(name, before[name], after[name])

    def _of_channel(self) -> Iterator[ContractChange]:
        before = self._old.followed(self._before["channel"])
        after = self._new.followed(self._after["channel"])
        for key in ("address", "bindings", "servers"):
            if _meaning(before.get(key)) != _meaning(after.get(key)):
                yield self._breaks("", f"{key} of the channel differs", "that it is safe cannot be shown")

    def _of_message(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ContractChange]:
        types = [
            message.get("contentType", reader.root.get("defaultContentType", ""))
            for reader, message in ((self._old, before), (self._new, after))
        ]
        if types[0] != types[1]:
            yield self._breaks(name, f"content type {types[0]} -> {types[1]}", "it is read in another way")
        for part in ("payload", "headers"):
            side = ComparedPlace(self._document, f"{self._key}/{name}/{part}", self._direction, self._party)
            yield from self._comparison.findings(side, before.get(part, True), after.get(part, True))

    def _added(self, name: str) -> ContractChange:
        if self._direction == "consumed":
            return safe(self._document, f"{self._key}/{name}", "is a new message", "what was accepted is so still")
        why = "a subscriber passes over messages of a type that it does not know"
        return safe(self._document, f"{self._key}/{name}", "is a new message", why)

    def _breaks(self, name: str, what: str, why: str) -> ContractChange:
        where = f"{self._key}/{name}" if name else self._key
        return breaking(self._party, self._document, where, what, why)


def _messages(reader: SchemaReader, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the messages of an operation by name: those that it lists, or all of its channel."""
    listed = operation.get("messages")
    if listed is None:
        listed = [
            {"$ref": f"{operation['channel']['$ref']}/messages/{name}"}
            for name in reader.followed(operation["channel"]).get("messages", {})
        ]
    return {each["$ref"].rpartition("/")[2]: reader.followed(each) for each in listed}


def _of_security(
    document: str,
    key: str,
    party: Party,
    before: tuple[SchemaReader, Mapping[str, Any]],
    after: tuple[SchemaReader, Mapping[str, Any]],
) -> Iterator[ContractChange]:
    """Any one of the listed schemes is enough: each earlier one has to be listed still, if there is a list."""
    old, new = (
        {_meaning(reader.followed(each)) for each in operation.get("security", [])}
        for reader, operation in (before, after)
    )
    if new and (not old or not old <= new):
        yield breaking(party, document, key, "security differs", "who had access may have none")
    elif old != new:
        yield safe(document, key, "security differs", "who had access has it still")


def _meaning(value: Any) -> bytes:
    """Return a part of a document as text, without what describes it for people."""
    return text_of(_undescribed(value))


def _undescribed(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if name not in ("description", "summary", "title")}
        return {name: _undescribed(each) for name, each in kept.items()}
    return [_undescribed(each) for each in value] if isinstance(value, list) else value
