"""Why an event cannot be applied: the stable codes, and how a model's complaints become reasons.

A reason names the place and the rule that was broken, never the value that broke it: reasons are logged, values are
personal. So may a member's name be: it is shown only if the contract or the rules know it.
"""

from __future__ import annotations

from collections.abc import Container
from difflib import get_close_matches
from typing import Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mdm_stream.contracts.change import CHANGE_MEMBERS, OWN_ERROR
from mdm_stream.contracts.members import shown_name, shown_path
from mdm_stream.errors import Reason, RejectedEventError

Code = Literal[
    "empty",  # nothing but white space
    "too_large",  # more bytes than an event may have
    "binary",  # compressed, aggregated or other binary data
    "not_utf8",  # text in another encoding
    "truncated_json",  # JSON that ends too early
    "invalid_json",  # no JSON: a syntax error, NaN, a number that no double holds
    "not_an_object",  # JSON, but no object
    "unknown_shape",  # an object of no known format, or not of the format that was announced
    "ambiguous_shape",  # an object with the marks of two formats
    "unknown_domain",  # no rule set for it
    "unknown_source",  # the domain's rules do not name it
    "unknown_attribute",  # an override of what the domain's rules do not have
    "unknown_table",  # no source reads that table
    "missing",  # a member, column or key that must be there
    "unexpected",  # a member that the contract does not know
    "wrong_type",
    "wrong_format",
    "unknown_value",  # none of the values that the contract lists
    "out_of_range",
    "too_long",
    "too_short",
    "too_many",
    "control_character",
    "version_kind",  # a version that is not of the kind that the source declares, or none
    "version_ahead",  # a version further ahead than the event's arrival allows
    "event_time_ahead",  # a time later than the event's arrival allows
    "event_time_before_floor",  # a time before the earliest that the source may send
    "no_position",  # a change that carries nothing to order it by
    "key_not_logged",  # a key column of the rules that is no part of the replica identity
    "imprecise_key",  # a number that JSON readers cannot tell from its neighbours, used as a key
    "same_record",  # a verdict on a record and itself
    "truncate",  # a table was emptied, and no row says which records that deletes
    "ragged_row",  # a CSV row with more or fewer fields than its header
    "invalid_csv",  # quoting that cannot be read
    "engine_fault",  # an unexpected fault of ours, which this event met alone
    "not_authorised",  # what its way in, or the key that signed it, has no right to say
    "source_held",  # of a source that an operator holds; kept aside until it is released
    "bad_aggregate",  # a KPL aggregate that is damaged, holds too many records, or another wrapping
    "bad_envelope",  # a redriven event's envelope that is damaged, or holds more than one may
]

COMPLAINTS_READ_MAX = 200
"""Complaints of a model from which reasons are made. Thousands of unknown members share one, and each costs a
search for what was meant.
"""

REASONS_MAX = 20
"""An event with hundreds of wrong members is wrong as a whole; the first reasons say enough to find out why."""

_NAME_CHARS_MAX = 64
"""Of a name that is likened to those of the contract, which are shorter."""
_BY_TYPE: dict[str, tuple[Code, str]] = {
    "missing": ("missing", "is required"),
    "extra_forbidden": ("unexpected", "is no member of this event"),
    "string_type": ("wrong_type", "must be a text"),
    "int_type": ("wrong_type", "must be an integer"),
    "dict_type": ("wrong_type", "must be an object"),
    "model_type": ("wrong_type", "must be an object"),
    "union_tag_not_found": ("missing", "is required"),
    "string_too_long": ("too_long", "is longer than allowed"),
    "string_too_short": ("too_short", "must not be empty"),
    "too_long": ("too_many", "has more entries than allowed"),
    "too_short": ("too_short", "must not be empty"),
    "literal_error": ("unknown_value", "is none of the values that are allowed here"),
    "less_than_equal": ("out_of_range", "must be an integer of 64 bits"),
    "greater_than_equal": ("out_of_range", "must be an integer of 64 bits"),
    "string_pattern_mismatch": ("wrong_format", "does not have the form of a name that is allowed here"),
}
_OTHERWISE: tuple[Code, str] = ("wrong_format", "is not allowed here")


def rejection(code: Code, path: str, message: str) -> RejectedEventError:
    """Return the error for an event that is wrong in one place."""
    return RejectedEventError((Reason(code, path, message),))


def rejection_of(error: ValidationError, variants: frozenset[str], columns: Container[str]) -> RejectedEventError:
    """Return a model's complaints as a rejection, at most one reason for each place, in the model's order.

    ``variants`` are the names that pydantic puts in front of a place for the alternative that it tried. ``columns`` are
    the names of attributes that the rules know.
    """
    reasons: dict[str, Reason] = {}
    complaints = error.errors(include_url=False, include_input=False, include_context=True)
    for detail in complaints[:COMPLAINTS_READ_MAX]:
        reason = _reason_of(detail, variants, columns)
        reasons.setdefault(reason.path, reason)
        if len(reasons) == REASONS_MAX:
            break
    return RejectedEventError(tuple(reasons.values()))


def _reason_of(detail: ErrorDetails, variants: frozenset[str], columns: Container[str]) -> Reason:
    kind, place = detail["type"], detail["loc"]
    if place and place[0] in variants:
        place = place[1:]
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        code: Code = "missing" if kind == "union_tag_not_found" else "unknown_value"
        return Reason(code, "op", "must be one of upsert, patch, delete, verdict, override, override_expired, erase")
    if place[:1] == ("version",):
        # The alternatives of a version are tried one by one, and each complains: one sentence says it better.
        own = kind.removeprefix(OWN_ERROR) if kind.startswith(OWN_ERROR) else _BY_TYPE.get(kind, _OTHERWISE)[0]
        return Reason(own, "version", "must be an integer of 64 bits or a printable text of 1 to 256 characters")
    place = tuple(step for step in place if step != "[key]")
    if place[:1] == ("attributes",):
        path = ".".join(("attributes", *(shown_name(step, columns) for step in place[1:])))
    else:
        path = shown_path(place, CHANGE_MEMBERS)
    if kind.startswith(OWN_ERROR):
        return Reason(kind.removeprefix(OWN_ERROR), path, detail["msg"])
    code, message = _BY_TYPE.get(kind, _OTHERWISE)
    if kind == "extra_forbidden":
        message += _meant(place[-1])
    return Reason(code, path, message)


def _meant(name: object) -> str:
    """Return the member that a sender probably meant, for a report that does not repeat what was sent."""
    short = isinstance(name, str) and len(name) <= _NAME_CHARS_MAX
    close = get_close_matches(str(name), sorted(CHANGE_MEMBERS), n=1, cutoff=0.8) if short else []
    return f"; did you mean {close[0]}?" if close else ""
