"""The plaintext values of records that are to be erased: what they are. Looking for them is in ``needles``. Pure.

A value is known in every form in which it may be kept: as it was delivered, as it is shown after standardisation, and
as it is compared; a telephone number also without the number of its country.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import phonenumbers

from mdm_stream.core.model import ChangeEvent, OverrideEvent, RecordEvent, Standardised, Value, split_ref
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.erasure.needles import Found, Needles, is_long

_NO_SOURCE = ""
"""No source can be called so: its columns are read as attributes by their names, as a steward's are."""


class Values:
    """The values to look for. ``texts`` are those that say something wherever they stand, ``short`` the others, which
    stand by chance in many bytes: they are found as words, and count only beside another value.
    """

    def __init__(self, texts: Iterable[str], refs: Iterable[str] = ()) -> None:
        """Take all values, and the references of the records.

        What is a part of one of these is a key, which stays known: it is no value to look for.
        """
        keys = list(refs)
        known = {text for text in texts if text and not any(text in key for key in keys)}
        self.texts = frozenset(text for text in known if is_long(text))
        self.short = known - self.texts
        self._needles = Needles(known, {split_ref(key)[1] for key in keys})

    @property
    def too_short(self) -> int:
        """How many values say nothing alone."""
        return len(self.short)

    def found_in(self, raw: bytes) -> set[str]:
        """Return the values that occur in bytes of one of our own writers, as they are or as JSON escapes them."""
        return self._needles.plainly_in(raw)

    def anywhere_in(self, raw: bytes) -> Found:
        """Return the values, and the records' ids, that occur in bytes of any origin, in any form."""
        return self._needles.found_in(raw)


_INTERNATIONAL = re.compile(r"\+[0-9]{7,15}")


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


def _shown(standardised: Standardised) -> Iterator[object]:
    yield standardised.value
    yield standardised.match
    for text in _texts(standardised.match):
        if _INTERNATIONAL.fullmatch(text):
            with suppress(phonenumbers.NumberParseException):
                yield phonenumbers.national_significant_number(phonenumbers.parse(text))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
