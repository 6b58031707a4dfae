"""Groups of a plan: they share nothing, together they are the batch, and how many share a commit is not seen."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules

from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.plan import planning as plan
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.settings import EngineSettings

WORLDS = st.sampled_from([
    small_rules(),
    small_rules(max_block_size=2, max_cluster_size=2),
    small_rules(max_block_size=50),
    small_rules(exclusive=(2,)),
])  # fmt: skip
EPOCH_US = 1_000_000


class Turned(MemoryIndex):
    """Applies the commits of a call the other way round."""

    def commit(self, commits):
        """Apply the last commit first, and report as was asked."""
        return super().commit(commits[::-1])[::-1]


def planned(rules, history, batch_size, *, groups=1, index=None):
    """Deliver a history; return the index and each (batch, commits) that was planned on the way."""
    index = index or MemoryIndex(rules)
    engine = Engine(rules, index, EngineSettings(groups_per_commit_max=groups), sleep=lambda _: None)
    plans = []

    def noting(batch, groups_per_commit_max=1):
        commits = plan.plan_commits(batch, groups_per_commit_max)
        plans.append((batch, commits))
        return commits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdm_stream.engine.batch.plan_commits", noting)
        for start in range(0, len(history), batch_size):
            # Groups share how many records a suspended key has: one that finds it too small is planned again.
            assert engine.process(history[start : start + batch_size]).failed == []
        engine.drain()
    return index, plans


def written(commit):
    """Return all that a commit writes, each thing under a name of its own; suspended keys only grow and shrink."""
    components = {*commit.put_components, *commit.drop_components}
    kinds = {
        "record": {record.ref for record in commit.put_records},
        "block": {*commit.put_blocks, *commit.suspend},
        "component": components,
        "member": {*commit.component_of, *commit.crosswalk, *commit.drop_refs},
        "golden": {*commit.put_golden, *commit.drop_golden},
    }
    return {(kind, name) for kind, names in kinds.items() for name in names}


def between_records(commit):
    """Return what a commit writes of pairs of records: by kind and pair the edge or review item, or that it goes.

    A pair that no open block joins any more may have its records in two groups. Both then write it, and the same.
    """
    pairs = {("review", pair): item for pair, item in commit.put_review.items()}
    pairs |= {("review", pair): None for pair in commit.drop_review}
    pairs |= {("edge", review.edge.pair): review for review in commit.put_edges}
    return pairs | {("edge", pair): None for pair in commit.drop_edges}


def expected(commit):
    """Return all that a commit rests on."""
    kinds = {"record": commit.expect_records, "block": commit.expect_blocks, "component": commit.expect_components}
    return {(kind, name) for kind, names in kinds.items() for name in names}


def verdict_pairs(batch):
    """Return the pairs of records of a batch that stand, or stood, under a verdict."""
    mine = {revision.ref for revision in batch.revisions}
    for revision in batch.revisions:
        for record in (revision.before, revision.after):
            for other in record.state.verdicts if record is not None else ():
                if other in mine:
                    yield revision.ref, other


@given(HISTORIES, st.integers(1, 20), WORLDS)
def test_groups_share_nothing(history, batch_size, rules):
    """No commit writes what another one writes or rests on, and no verdict lies between the records of two."""
    for batch, commits in planned(rules, history, batch_size)[1]:
        for left, right in combinations(commits, 2):
            assert not written(left) & (written(right) | expected(right))
            assert not written(right) & expected(left)
            mine, others = between_records(left), between_records(right)
            assert all(mine[pair] == others[pair] for pair in mine.keys() & others.keys())
            assert not left.expect_blocks.keys() & right.expect_blocks.keys()
            assert not left.expect_components.keys() & right.expect_components.keys()
        place = {ref: number for number, commit in enumerate(commits) for ref in commit.refs}
        assert all(place[a] == place[b] for a, b in verdict_pairs(batch))


@given(HISTORIES, st.integers(1, 20), WORLDS, st.integers(1, 5))
def test_groups_are_the_batch(history, batch_size, rules, groups):
    """Each record of the batch is in one commit; what changes is written, and what waited is taken off the queue."""
    for batch, commits in planned(rules, history, batch_size, groups=groups)[1]:
        refs = [ref for commit in commits for ref in commit.refs]
        assert sorted(refs) == sorted(revision.ref for revision in batch.revisions)
        changed = {revision.ref for revision in batch.revisions if revision.changed}
        assert {record.ref for commit in commits for record in commit.put_records} == changed
        assert sorted(ref for commit in commits for ref in commit.dequeue) == sorted(refs)


@given(HISTORIES, st.integers(1, 20), WORLDS, st.integers(2, 9))
def test_how_groups_are_joined_is_not_seen(history, batch_size, rules, groups):
    """One group a commit, several, and commits the other way round all end in F."""
    whole = resolve(rules, history)
    assert planned(rules, history, batch_size)[0].snapshot() == whole
    assert planned(rules, history, batch_size, groups=groups)[0].snapshot() == whole
    assert planned(rules, history, batch_size, index=Turned(rules))[0].snapshot() == whole


@given(HISTORIES, st.integers(1, 20), WORLDS, st.integers(2, 9))
def test_joined_groups_are_the_single_ones_together(history, batch_size, rules, groups):
    """A commit of several groups has the records of that many single ones, in their order."""
    for batch, commits in planned(rules, history, batch_size)[1]:
        joined = plan.plan_commits(batch, groups)
        parts = [commits[start : start + groups] for start in range(0, len(commits), groups)]
        assert [commit.refs for commit in joined] == [
            tuple(ref for each in part for ref in each.refs) for part in parts
        ]
        for whole, part in zip(joined, parts, strict=True):
            assert written(whole) == set().union(*map(written, part))


def person(record_id, given_name, family_name):
    """Return the first event of a person born on a day of their own."""
    attributes = {"given_name": given_name, "family_name": family_name, "birth_date": f"19{record_id}0-01-01"}
    return RecordEvent("person", "crm", record_id, "upsert", 1, EPOCH_US, attributes)


def test_a_batch_of_strangers_has_a_group_for_each():
    """Groups are not larger than they must be: records that share nothing are apart, those of a block together."""
    strangers = [person("1", "Ann", "Lee"), person("2", "Bob", "Kim"), person("3", "Eve", "Stone")]
    (_, commits), *_ = planned(small_rules(), strangers, 3)[1]
    assert [commit.refs for commit in commits] == [("crm/1",), ("crm/2",), ("crm/3",)]
    namesake = person("4", "Zoe", "Lee")
    (_, commits), *_ = planned(small_rules(), [*strangers, namesake], 4)[1]
    assert [commit.refs for commit in commits] == [("crm/1", "crm/4"), ("crm/2",), ("crm/3",)]
    word = VerdictEvent("person", "crm/2", "crm/3", "separate", 1, 0, "s-1")
    (_, commits), *_ = planned(small_rules(), [*strangers, word], 4)[1]
    assert [commit.refs for commit in commits] == [("crm/1",), ("crm/2", "crm/3")]
