"""``review next`` with a person: one pair at a time, a key for each decision, on a terminal or from a pipe."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from mdm_stream.cli.explained_pair import print_balance, print_side_by_side
from mdm_stream.cli.output import say
from mdm_stream.core.model import Verdict
from mdm_stream.steward.decide import verdict_event, verdict_versions
from mdm_stream.steward.review_session import ReviewQuestion, ReviewSession
from mdm_stream.steward.wording import alike_sentence, refusal_sentence

if TYPE_CHECKING:
    from mdm_stream.cli.steward_channel import StewardChannel
    from mdm_stream.core.fold import RecordState
    from mdm_stream.core.model import Version

Choice = Literal["link", "separate", "skip", "undo", "quit", "help"]

ANSWERS: dict[str, Choice] = {
    "l": "link",
    "link": "link",
    "s": "separate",
    "separate": "separate",
    "k": "skip",
    "skip": "skip",
    "u": "undo",
    "undo": "undo",
    "q": "quit",
    "quit": "quit",
    "?": "help",
    "help": "help",
}
"""What a key, or a line of a pipe, means."""

_VERDICTS: dict[str | None, Verdict] = {"link": "link", "separate": "separate"}

KEYS = "l link   s separate   k skip   u undo   q quit   ? help"
_HELP = (
    "l  they are one thing: a LINK verdict is sent",
    "s  they are two things: a SEPARATE verdict is sent",
    "k  ask nothing more about this pair in this session",
    "u  take the last verdict of this session back: what stood before is sent anew, and the pair is asked again",
    "q  stop",
)


def read_answer() -> str | None:
    """Return what was answered: a key on a terminal, else a line; ``None`` at the end of either."""
    if sys.stdin.isatty():
        import click  # noqa: PLC0415

        try:
            return click.getchar().lower()
        except (EOFError, KeyboardInterrupt):
            return None
    line = sys.stdin.readline()
    return line.strip().lower() if line else None


class ReviewDesk:
    """Asks the questions of a session, and sends what is answered."""

    def __init__(
        self,
        session: ReviewSession,
        channel: StewardChannel,
        steward: str,
        read: Callable[[], str | None] = read_answer,
    ) -> None:
        """Take a session, where its decisions go, and who decides."""
        self._session, self._channel, self._steward, self._read = session, channel, steward, read
        self._done: Counter[str] = Counter()
        self._sent: dict[tuple[str, str], list[Version]] = {}

    def run(self) -> None:
        """Ask until nothing is open, or the answer is to quit. Each verdict is sent before the next question."""
        number = 0
        while (question := self._session.next_question()) is not None:
            number += 1
            print_question(question, number, self._session)
            if not self._answered(question):
                break
        else:
            say("Nothing more is open." if number else "Nothing is open in the review queue.")
        counts = ", ".join(f"{count:,} {what}" for what, count in self._done.items())
        say(f"Done: {counts or 'nothing decided'}.")

    def _answered(self, question: ReviewQuestion) -> bool:
        """Take answers to one question until one of them ends it; return whether to go on."""
        while True:
            say(KEYS)
            said = self._read()
            answer = "quit" if said is None else ANSWERS.get(said)
            if answer == "quit":
                return False
            if answer in _VERDICTS:
                self._decide(question, _VERDICTS[answer])
                return True
            if answer == "skip":
                self._done["skipped"] += 1
                return True
            if answer == "undo" and self._undo(question):
                return True
            if answer in (None, "help"):
                for line in _HELP:
                    say(line)

    def _decide(self, question: ReviewQuestion, verdict: Verdict) -> None:
        self._send(question, verdict)
        self._session.decided(question, verdict)
        self._done[verdict] += 1

    def _undo(self, question: ReviewQuestion) -> bool:
        last = self._session.take_back()
        if last is None:
            say("Nothing was decided in this session that could be taken back.")
            return False
        self._session.ask_again(question)
        self._send(last.question, last.question.verdict_before)
        self._done["undone"] += 1
        return True

    def _send(self, question: ReviewQuestion, verdict: Verdict) -> None:
        """Send a verdict under a version above what stands on the pair, and above what this session has sent on it."""
        a, b = question.pair

        def versions_to_beat(state: RecordState) -> list[Version]:
            return [*verdict_versions(state, b), *self._sent.get((a, b), ())]

        version = self._channel.version((a, b), versions_to_beat)
        now_us = self._channel.now_us
        domain = self._channel.rules.domain
        event = verdict_event(domain, (a, b), verdict, steward=self._steward, version=version, time_us=now_us)
        self._channel.put(event)
        self._sent.setdefault((a, b), []).append(version)
        say(f"{verdict} on {a} {b}, version {version}, sent to {self._channel.stream}")


def print_question(question: ReviewQuestion, number: int, session: ReviewSession) -> None:
    """Write one question: what it is about, both records side by side, and what speaks for and against."""
    item, document = question.item, question.explanation.document()
    say()
    if session.held is not None:
        say(f"Writing to the domain is held back: {session.held}")
    say(
        f"Question {number:,} ({session.total:,} in the queue): {item.reason.replace('_', ' ')}, "
        f"worth {item.expected_pairs:,.2f} pairs"
    )
    if item.alike is not None:
        say(f"  {alike_sentence(item.alike.model_dump())}")
    for side, ref in zip((item.a, item.b), question.pair, strict=True):
        members = f"{side.members:,} record{'s' * (side.members != 1)}"
        say(f"  {ref}: golden record {side.golden_id} of {members}")
    print_side_by_side(document)
    print_balance(document)
    link = document["link"]
    if link is not None and link["refused"] is not None:
        say(f"Its link was {refusal_sentence(link['refused'])}")
    _print_verdicts(question)
    say()


def _print_verdicts(question: ReviewQuestion) -> None:
    for separated in question.item.separated:
        for each in (separated, *separated.chain):
            held = each.verdict
            if held is not None:
                pair = f"{each.a.source}/{each.a.record_id} {each.b.source}/{each.b.record_id}"
                say(f"Verdict {held.verdict} by {held.steward}, version {held.version}, on {pair}")
    if question.item.reason == "contradiction":
        say("These verdicts contradict each other: take one back with mdm-stream review decide A B none")
