"""Going through the review queue one pair at a time: which item is next, and what undoing takes back.

Decisions are events, which a consumer applies some seconds later. So a session remembers what it has asked: it neither
asks a pair twice nor, once a verdict was given between two golden records, anything else about the two.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mdm_stream.contracts.review_next import ReviewNext
from mdm_stream.contracts.steward import Explanation, ReviewItem, ReviewSide
from mdm_stream.core.cluster.review_order import CONTRADICTION
from mdm_stream.core.cluster.teaching_order import pattern_of
from mdm_stream.core.model import Verdict, make_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.reader import IndexReader, Pair
from mdm_stream.steward.decided_alike import ReviewOrder, decided_for
from mdm_stream.steward.describe import Reveal
from mdm_stream.steward.inspect import NotFoundError, explain_names
from mdm_stream.steward.review import review_queue

ITEMS_AHEAD = 50
"""Open items that one reading of the queue looks for: each reading scans it whole."""


@dataclass(frozen=True, slots=True)
class ReviewQuestion:
    """An item and the explanation of its pair, values included."""

    item: ReviewItem
    explanation: Explanation

    @property
    def pair(self) -> Pair:
        """The references of the two records."""
        return _ref(self.item.a), _ref(self.item.b)

    @property
    def golden_ids(self) -> frozenset[str]:
        """The two golden records that it is about."""
        return frozenset((self.item.a.golden_id, self.item.b.golden_id))

    @property
    def verdict_before(self) -> Verdict:
        """The verdict that stands on the pair: what undoing a decision gives back."""
        held = self.explanation.verdict
        return "none" if held is None else held.verdict


@dataclass(frozen=True, slots=True)
class SessionDecision:
    """A verdict that this session has sent, on what it asked."""

    question: ReviewQuestion
    verdict: Verdict


class ReviewSession:
    """One steward's way through the queue of one domain. Reads the index, and sends nothing itself."""

    def __init__(
        self,
        index: IndexReader,
        rules: Ruleset,
        *,
        reasons: Collection[str] = (),
        reveal: Reveal = False,
        order: ReviewOrder = "auto",
    ) -> None:
        """Begin at the item whose answer says most about others, or is worth most, by ``order``.

        With ``reasons``, only items of these are asked. Verdicts are looked at once, now.
        """
        self._index, self._rules, self._reasons, self._reveal = index, rules, reasons, reveal
        self._taught = decided_for(order, index, rules)
        self._asked: set[Pair] = set()
        self._ahead: list[ReviewItem] = []
        self._again: list[ReviewQuestion] = []
        self.total = 0
        self.held: str | None = None
        self.decisions: list[SessionDecision] = []

    def next_question(self) -> ReviewQuestion | None:
        """Return the next open question; ``None`` if there is none that this session has not asked.

        What an undone decision was about comes first. Items that were answered by a SEPARATE verdict are left out, but
        for contradictions; so are those that are settled by now, or are about two golden records that were decided.
        """
        if self._again:
            return self._again.pop()
        while True:
            if not self._ahead and not self._read():
                return None
            item = self._ahead.pop(0)
            pair = _ref(item.a), _ref(item.b)
            self._asked.add(pair)
            if frozenset((item.a.golden_id, item.b.golden_id)) in self._decided():
                continue
            question = self._question(item, pair)
            if question is not None:
                return question

    def document(self) -> ReviewNext:
        """Return the next question as one document."""
        question = self.next_question()
        return ReviewNext(
            domain=self._rules.domain,
            rules_version=self._rules.version,
            held=self.held,
            total=self.total,
            item=None if question is None else question.item,
            explanation=None if question is None else question.explanation,
        )

    def decided(self, question: ReviewQuestion, verdict: Verdict) -> None:
        """Remember a verdict that was sent."""
        self.decisions.append(SessionDecision(question, verdict))
        self._learn(question, verdict, 1)

    def take_back(self) -> SessionDecision | None:
        """Forget the last decision and return it, to be taken back; its question is next. ``None`` if there is none."""
        if not self.decisions:
            return None
        last = self.decisions.pop()
        self._learn(last.question, last.verdict, -1)
        self._again.append(last.question)
        return last

    def ask_again(self, question: ReviewQuestion) -> None:
        """Put a question that was not answered back, behind what comes next."""
        self._again.insert(0, question)

    def _decided(self) -> set[frozenset[str]]:
        return {decision.question.golden_ids for decision in self.decisions}

    def _learn(self, question: ReviewQuestion, verdict: Verdict, times: int) -> None:
        """Count a verdict of this session, or take it back: it is applied some seconds later."""
        if self._taught is None:
            return
        pattern = pattern_of({"rule": question.item.rule, "evidence": question.item.evidence})
        links, separates = self._taught.get(pattern, (0, 0))
        self._taught[pattern] = links + times * (verdict == "link"), separates + times * (verdict == "separate")

    def _read(self) -> bool:
        limit = ITEMS_AHEAD + len(self._asked)
        queue = review_queue(self._index, self._rules, limit=limit, reasons=self._reasons, decided=self._taught)
        self.total, self.held = queue.total, queue.held
        self._ahead = [
            item
            for item in queue.items
            if (_ref(item.a), _ref(item.b)) not in self._asked and (not item.answered or item.reason == CONTRADICTION)
        ][:ITEMS_AHEAD]
        return bool(self._ahead)

    def _question(self, item: ReviewItem, pair: Pair) -> ReviewQuestion | None:
        """Return an item with what is so now; ``None`` if it is no question any more."""
        try:
            found = explain_names(self._index, self._rules, pair, values=True, reveal=self._reveal)
        except (NotFoundError, TransientError):
            return None
        if found.together or found.conclusion == "not_live":
            return None
        if found.conclusion == "separated" and item.reason != CONTRADICTION:
            return None
        return ReviewQuestion(item, found)


def _ref(side: ReviewSide) -> str:
    return make_ref(side.source, side.record_id)
