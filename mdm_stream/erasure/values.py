"""The plaintext values of records that are to be erased: what they are, and looking for them in bytes. Pure.

A value is known in every form in which it may be kept: as it was delivered, as it is shown after standardisation, and
as it is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import orjson

from mdm_stream.core.model import ChangeEvent, OverrideEvent, RecordEvent, Standardised, Value
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record

VALUE_CHARS_MIN = 5
"""Shorter texts occur by chance in megabytes of other bytes. They are looked for by the keys of their records alone."""

_NO_SOURCE = ""
"""No source can be called so: its columns are read as attributes by their names, as a steward's are."""


class Values:
    """The values to look for by their bytes. ``too_short`` counts those that only the records' keys can find."""

    def __init__(self, texts: Iterable[str], refs: Iterable[str] = ()) -> None:
        """Take all values; what is a part of one of the references is a key, which stays known, and is left out."""
        keys = list(refs)
        known = {text for text in texts if text and not any(text in key for key in keys)}
        self.texts = frozenset(text for text in known if len(text) >= VALUE_CHARS_MIN)
        self.too_short = len(known) - len(self.texts)
        self._encoded = {text: text.encode() for text in self.texts}

    def found_in(self, raw: bytes) -> set[str]:
        """Return the values that occur in some bytes, as they are or, if these are JSON, as it reads unescaped."""
        found = {text for text, encoded in self._encoded.items() if encoded in raw}
        if b"\\" in raw and len(found) < len(self.texts):
            with suppress(orjson.JSONDecodeError):
                for read in _strings(orjson.loads(raw)):
                    found |= {text for text in self.texts if text in read}
        return found


def values_of_record(rules: Ruleset, record: Record) -> set[str]:
    """Return all values in the state of a record, and in its golden record because of it."""
    columns = record.state.columns()
    overrides = {name: held.value for name, held in record.state.overrides.items()}
    return _all_forms(rules, record.ref.partition("/")[0], columns) | _all_forms(rules, _NO_SOURCE, overrides)


def values_of_events(rules: Ruleset, events: Iterable[ChangeEvent], refs: Iterable[str]) -> set[str]:
    """Return all values that events say of some records."""
    wanted, found = set(refs), set()
    for event in events:
        if isinstance(event, RecordEvent) and event.ref in wanted:
            found |= _all_forms(rules, event.source, event.attributes)
        elif isinstance(event, OverrideEvent) and event.ref in wanted:
            found |= _all_forms(rules, _NO_SOURCE, event.attributes)
    return found


def _all_forms(rules: Ruleset, source: str, columns: Mapping[str, Value]) -> set[str]:
    forms: list[object] = list(columns.values())
    for standardised in standardise_record(rules, source, columns) if columns else ():
        forms += _shown(standardised)
    return {text for form in forms for text in _texts(form)}


def _shown(standardised: Standardised) -> tuple[object, object]:
    return standardised.value, standardised.match


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _strings(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, as it reads."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
