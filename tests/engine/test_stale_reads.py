"""Nothing that another worker writes between two reads of one batch reaches what the batch commits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_world import small_rules

from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.settings import EngineSettings

RULES = small_rules(max_block_size=10, max_cluster_size=50)
SINGLY = EngineSettings(groups_per_commit_max=1)
"""Every group in a commit of its own: what one group expects does not protect another."""


class Interposed:
    """An index under which something happens once, just before an operation."""

    def __init__(self, index: MemoryIndex, operation: str, happening: Callable[[], object]) -> None:
        self._index = index
        self._operation = operation
        self._happenings = [happening]

    def __getattr__(self, name: str) -> object:
        if name == self._operation and self._happenings:
            self._happenings.pop()()
        return getattr(self._index, name)


def upsert(ref: str, version: int, **attributes: object) -> RecordEvent:
    """A record's whole write."""
    source, record_id = ref.split("/")
    return RecordEvent("person", source, record_id, "upsert", version, 0, attributes)


def run(
    before: list[ChangeEvent],
    batch: list[ChangeEvent],
    meanwhile: list[ChangeEvent],
    operation: str,
    rules: Ruleset = RULES,
) -> None:
    """Apply ``batch`` while another worker applies ``meanwhile`` before one of its reads; expect F of everything."""
    index = MemoryIndex(rules)
    Engine(rules, index).process(before)
    interposed = Interposed(index, operation, lambda: Engine(rules, index).process(meanwhile))
    engine = Engine(rules, interposed, SINGLY, sleep=lambda _: None)
    report = engine.process(batch)
    assert report.failed == []
    assert report.conflicts > 0
    assert index.snapshot() == resolve(rules, [*before, *meanwhile, *batch])


def test_a_member_read_for_another_record_of_the_batch_is_not_used_when_it_has_changed():
    """A golden record survives from its members as they are, even if one was read before its component was."""
    # m is linked to x. The batch reads m as a candidate of erp/1 (same initial and year, no link), and then the
    # component {m, x} for erp/2, which links to x alone.
    before = [
        upsert("crm/m", 1, given_name="Zoe", family_name="Abc", birth_date="1970-01-01", email=("m@x.org",)),
        upsert("crm/x", 1, email=("m@x.org", "x@x.org")),
    ]
    batch = [
        upsert("erp/1", 1, given_name="Zack", family_name="Qqq", birth_date="1970-09-09"),
        upsert("erp/2", 1, email=("x@x.org",)),
    ]
    meanwhile = [
        upsert("crm/m", 2, given_name="Zora", family_name="Abc", birth_date="1970-01-01", email=("m@x.org",)),
    ]
    run(before, batch, meanwhile, "read_neighbourhood")


@pytest.mark.parametrize("version", [1, 3])
def test_a_record_of_the_batch_that_was_moved_into_a_block_is_scored_as_it_is(version):
    """A link to a record that another worker puts into the block first is made, whichever version of it wins."""
    # The batch reads crm/m as unknown, and finds it in the block of erp/2 with what the other worker wrote: scored
    # as the batch would leave it, it links to nothing.
    batch = [
        upsert("crm/m", 2, given_name="Zoe", family_name="Qqq"),
        upsert("erp/2", 1, family_name="Lee", email=("x@x.org",)),
    ]
    meanwhile = [upsert("crm/m", version, family_name="Lee", email=("x@x.org",))]
    run([], batch, meanwhile, "read_blocks")


def test_two_records_under_a_link_verdict_that_appear_at_once_are_linked():
    """Neither worker saw the other's record, and no block is common to both: the verdict is what they conflict on."""
    before = [VerdictEvent("person", "crm/x", "erp/y", "link", 1, 0, "steward-1")]
    batch = [upsert("crm/x", 1, given_name="Zoe")]
    meanwhile = [upsert("erp/y", 1, family_name="Lee")]
    run(before, batch, meanwhile, "commit")


def test_a_key_that_opens_while_a_record_enters_it_makes_candidates():
    """The batch saw a suspended key, which it need not read; the key is open by the time that it commits."""
    before = [upsert(f"crm/{n}", 1, email=("s@x.org",)) for n in range(RULES.max_block_size + 1)]
    batch = [upsert("crm/x", 1, email=("s@x.org",))]
    meanwhile = [upsert(f"crm/{n}", 2, email=(f"{n}@x.org",)) for n in range(3)]
    run(before, batch, meanwhile, "commit")


def test_a_question_that_another_worker_pushed_out_is_not_asked():
    """Which questions a record keeps is one decision, though those who ask share neither a block nor a component."""
    # web/s keeps one question to earlier records: crm/2, the nearer, which has its initial and year. crm/1 has its
    # family name and keeps its own one question for web/a. The batch knows of crm/1 alone.
    before = [
        upsert("web/s", 1, given_name="Zoe", family_name="Lee", birth_date="1970-01-01"),
        upsert("web/a", 1, family_name="Lee", birth_date="1970-01-03"),
        VerdictEvent("person", "web/a", "web/s", "separate", 1, 0, "steward-1"),
    ]
    batch = [upsert("crm/1", 1, family_name="Lee", birth_date="1970-01-02")]
    meanwhile = [upsert("crm/2", 1, given_name="Zoe", birth_date="1970-01-02")]
    rules = small_rules(max_block_size=10, max_cluster_size=50, kept=1)
    assert len(resolve(rules, [*before, *meanwhile, *batch]).review) == 2
    assert len(resolve(rules, [*before, *batch]).review) == 2
    run(before, batch, meanwhile, "commit", rules)
