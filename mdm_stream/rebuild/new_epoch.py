"""The epoch that a rebuild fills, with a view of its golden records and crosswalk that follows what is written to
it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

import redis

from mdm_stream.contracts.evidence import EvidenceKey
from mdm_stream.core.cluster.golden import digest_of_content
from mdm_stream.core.plan.commit import Commit
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.port import CommitOutcome
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.difference import SaidEvidence
from mdm_stream.rebuild.present_evidence import all_said, evidence_keys, said_of
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows

_PER_CALL = 1_000
"""Golden records or references that are looked up together; of large golden records fewer."""


class NewEpoch(RedisIndex):
    """An epoch that is being built, for the one process that writes to it from the first ``look`` on.

    ``digests`` (by golden id) and ``crosswalk`` are what the epoch held at the last ``look``, some 300 bytes a golden
    record and 200 a record. The first look reads the whole epoch, every later one only what was written in between.
    """

    def __init__(self, client: redis.Redis, rules: Ruleset, namespace: str, epoch: int) -> None:
        super().__init__(client, rules, namespace, building=epoch)
        self.digests: dict[str, str] = {}
        self.crosswalk: dict[str, str] = {}
        self._golden_ids: set[str] = set()
        self._refs: set[str] = set()
        self._evidence: set[EvidenceKey] = set()
        self._is_known = False
        self._has_said = False

    def commit(self, commits: Sequence[Commit]) -> list[CommitOutcome]:
        """Commit; see ``RedisIndex``. What it would change is noted before: a fault leaves open whether it did."""
        for each in commits:
            self._golden_ids.update(each.put_golden, each.drop_golden)
            self._refs.update(each.crosswalk, each.drop_refs)
            self._evidence.update(evidence_keys(each))
        return super().commit(commits)

    def look(self) -> set[str]:
        """Bring ``digests`` and ``crosswalk`` up to date; return the golden ids written since the last look."""
        golden_ids, self._golden_ids = self._golden_ids, set()
        refs, self._refs = self._refs, set()
        if not self._is_known:
            self.crosswalk = self.scan_crosswalk()
            self.digests = self._digests_of(set(self.crosswalk.values()))
            self._is_known = True
            return golden_ids
        for golden_id in golden_ids:
            self.digests.pop(golden_id, None)
        self.digests |= self._digests_of(golden_ids)
        for portion in _portions(refs):
            for ref in portion:
                self.crosswalk.pop(ref, None)
            self.crosswalk |= self.golden_of(portion)
        return golden_ids

    def contents(self, golden_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and content of those of some golden records that are live, reading them in portions of a bounded
        number, and of some megabytes whatever their sizes.
        """
        remaining, size = iter(golden_ids), FIRST_PAGE_ROWS
        while portion := list(islice(remaining, size)):
            found = self.golden_contents(portion)
            yield from found.items()
            size = next_page_rows(len(portion), sum(map(len, found.values())), _PER_CALL)

    def evidence(self, published: Collection[EvidenceKey]) -> tuple[Iterator[SaidEvidence], bool]:
        """Return what the rules publish of the epoch beside golden records, and whether that is all of it.

        With the first call it is; with a later one only what was written since the last call, and what is to be said of
        what was ``published`` meanwhile: the old epoch goes on.
        """
        keys, self._evidence = self._evidence.union(published), set()
        if self._has_said:
            return said_of(self, self._rules, keys), False
        self._has_said = True
        return all_said(self, self._rules), True

    def _digests_of(self, golden_ids: Iterable[str]) -> dict[str, str]:
        return {golden_id: digest_of_content(content) for golden_id, content in self.contents(golden_ids)}


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while portion := list(islice(remaining, _PER_CALL)):
        yield portion
