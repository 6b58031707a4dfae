"""Rejected rows judged again, by the rules as they are now: what may be sent again, and what stays where it is.

The consumer reads a row by the rules of its source, and knows nothing of the file that it came in. So what only this
entrance asks for (required columns, rows of the file's own source alone) is asked for again before a row is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.letters import DeadLetter, DeadLetters
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.files.csv_row_event import cells_of_csv_row, is_csv_row
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.objects.store import MissingObjectError
from producers.files.surroundings import file_rules

NO_ROW = "no_row"
"""The code of what was delivered as a row and is none: mended rules do not help, only another delivery does."""


@dataclass(slots=True)
class JudgedAgain:
    """Letters that may be sent, and for each of the others the code of the first reason why it stays."""

    sendable: list[DeadLetter] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def judged_again(
    found: Iterable[DeadLetter], letters: DeadLetters, rulesets: Mapping[str, Ruleset], domain: str, source: str
) -> JudgedAgain:
    """Judge letters of rows of one source. One that cannot be read is among the sendable: the redrive says why not."""
    judged = JudgedAgain()
    rules = rulesets[domain]
    required = file_rules(rulesets, domain, source).required
    decoder = Decoder({domain: rules})
    for letter in found:
        try:
            (event,) = letters.contents(letter).events
        except (MissingObjectError, TerminalError):
            judged.sendable.append(letter)
            continue
        try:
            _judge(event.delivery, decoder, (domain, source), required)
        except RejectedEventError as rejected:
            judged.kept[letter.letter_id] = rejected.reasons[0].code
        else:
            judged.sendable.append(letter)
    return judged


def _judge(delivery: Delivery, decoder: Decoder, owner: tuple[str, str], required: Iterable[str]) -> None:
    try:
        content = orjson.loads(delivery.raw)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict) or not is_csv_row(content):
        raise rejection(NO_ROW, "", "is no row that can be read; mend the file, and deliver it again")  # type: ignore[arg-type]
    for event in decoder.decode(delivery):
        if not isinstance(event, RecordEvent) or (event.domain, event.source) != owner:
            raise rejection("not_authorised", "source", "is another source than the one whose files these are")
        cells = cells_of_csv_row(content)
        if event.op != "delete" and any(name in cells and cells[name] is None for name in required):
            raise rejection("missing", "row", "has no value in a column that the rules require")
