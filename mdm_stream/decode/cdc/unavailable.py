"""What Debezium writes in place of a large value that an update left as it was, so that the database did not log it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

UNAVAILABLE = "__debezium_unavailable_value"
"""What the connector's ``unavailable.value.placeholder`` is by itself."""
_HEX = "hex:"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The placeholders of one source, in every form that Debezium gives them."""

    texts: frozenset[str]
    lists: tuple[list[Any], ...]

    def matches(self, value: object) -> bool:
        """Return whether a value is a placeholder.

        A text has it as it is, bytes in base64 or hex; an array of texts or of bytes holds it alone, one of numbers has
        its bytes, one of UUIDs the UUID that is made from it; a map has it as its one key.
        """
        if isinstance(value, str):
            return value in self.texts
        if isinstance(value, list):
            return value in self.lists
        return isinstance(value, dict) and len(value) == 1 and not self.texts.isdisjoint(value)


def unavailable_as(declared: str | None) -> Unavailable:
    """Return the placeholders of a source: the connector's own, and the one that its rules declare.

    One that begins with ``hex:`` stands for the bytes that follow, as it does for the connector. The connector's own
    stays known: what it wrote before it was given another comes again in a replay.
    """
    texts: set[str] = set()
    lists: list[list[Any]] = []
    for text, content in _meant(UNAVAILABLE), *([] if declared is None else [_meant(declared)]):
        forms = {text, base64.b64encode(content).decode(), content.hex()}
        texts |= forms
        lists.append(list(content))
        lists.append([str(UUID(bytes=hashlib.md5(content, usedforsecurity=False).digest(), version=3))])
        lists += [[form] for form in sorted(forms)]
    return Unavailable(frozenset(texts), tuple(lists))


def _meant(placeholder: str) -> tuple[str, bytes]:
    content = bytes_of_placeholder(placeholder)
    return content.decode("utf-8", "replace") if placeholder.startswith(_HEX) else placeholder, content


def bytes_of_placeholder(placeholder: str) -> bytes:
    """Return the bytes of a placeholder; ``ValueError`` if it says that they are in hex, and they are not."""
    if placeholder.startswith(_HEX):
        return bytes.fromhex(placeholder.removeprefix(_HEX))
    return placeholder.encode()


NOT_LOGGED = unavailable_as(None)
"""The placeholders of a source whose rules declare none."""
