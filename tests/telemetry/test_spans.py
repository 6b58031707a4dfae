"""Spans of batches: what they hold, how many there are, and that no batch depends on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import get_args

import pytest
from source_tree import ROOT
from span_notebook import Notebook

from mdm_stream.telemetry.spans import FACTS, NO_SPANS, STAGES_MAX, BackendSpans, Fact, Stage, kept


class Broken(Notebook):
    """A backend that raises wherever it can."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def open(self, name: str) -> AbstractContextManager[Notebook | None]:
        """Raise, or return what raises."""
        if self.where == "open":
            raise OSError
        return self._raising(name)

    @contextmanager
    def _raising(self, name: str) -> Iterator[Notebook]:
        if self.where == "enter":
            raise OSError(name)
        yield self
        raise OSError

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Raise."""
        raise OSError(facts)

    def measured(self, figures: Mapping[str, int]) -> None:
        """Raise."""
        raise OSError(figures)


def test_stages_lie_within_their_batch_and_each_other() -> None:
    """With how often each was, and the facts that were known before and after."""
    notebook = Notebook()
    spans = BackendSpans(notebook)
    with spans.batch("resolve", {"records": 2}) as note:
        with spans.stage("read"), spans.stage("score"):
            pass
        with spans.stage("commit"):
            pass
        note({"changes": 1})
    assert notebook.opened == ["resolve", "resolve/read", "resolve/read/score", "resolve/commit"]
    assert notebook.facts == {"records": 2, "changes": 1}
    assert {name for name in notebook.figures if name.endswith("_times")} == {
        "read_times",
        "score_times",
        "commit_times",
    }
    assert notebook.figures["read_times"] == 1


def test_no_batch_has_spans_without_bound() -> None:
    """What is past the bound is counted and timed all the same."""
    notebook = Notebook()
    spans = BackendSpans(notebook)
    with spans.batch("resolve", {}):
        for _ in range(STAGES_MAX + 40):
            with spans.stage("read"):
                pass
    assert len(notebook.opened) == 1 + STAGES_MAX
    assert notebook.figures["read_times"] == STAGES_MAX + 40


def test_a_span_takes_counts_and_places_alone() -> None:
    """Neither another fact, nor a text where a count belongs, nor one that is no place."""
    place: dict[str, Fact] = {"shard": "shardId-000000000000", "first": "1", "correlation_id": "shardId-000000000000:1"}
    values: dict[str, Fact] = {
        "given_name": "Wilhelmina",
        "records": "Wilhelmina",
        "last": "+49 30 90817263",
        "shard": "Wilhelmina",
        "correlation_id": 7,
    }
    assert kept(place) == place
    assert kept(values) == {}
    assert FACTS.isdisjoint({"cause", "message", "ref", "record_id"})


@pytest.mark.parametrize("where", ["open", "enter", "exit"])
def test_a_batch_does_not_depend_on_a_backend(where: str) -> None:
    """Whatever one raises; another one gets its spans, and what the batch raises goes on."""
    notebook = Notebook()
    spans = BackendSpans(Broken(where), notebook)
    with spans.batch("resolve", {"records": 1}) as note, spans.stage("read"):
        note({"changes": 1})
    with pytest.raises(ZeroDivisionError), spans.batch("resolve", {}), spans.stage("read"):
        raise ZeroDivisionError
    assert notebook.opened == ["resolve", "resolve/read"] * 2
    assert notebook.faults == ["read: ZeroDivisionError", "resolve: ZeroDivisionError"]


def test_without_a_backend_there_is_nothing_to_pay_for() -> None:
    """Stages of a process that traces nothing are one and the same object, which does nothing."""
    for spans in (NO_SPANS, BackendSpans()):
        with spans.batch("resolve", {}) as note:
            note({"records": 1})
            assert spans.stage("read") is NO_SPANS.stage("commit")


def test_a_stage_outside_of_a_batch_is_no_span() -> None:
    """As when an engine is used by a command."""
    notebook = Notebook()
    with BackendSpans(notebook).stage("read"):
        pass
    assert notebook.opened == []


def test_the_page_has_every_stage() -> None:
    """What a name in a trace means can be looked up."""
    page = (ROOT / "docs" / "operate" / "traces.md").read_text("utf-8")
    assert [stage for stage in get_args(Stage) if f"| `{stage}` |" not in page] == []
