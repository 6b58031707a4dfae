"""How far a clean run has come, so that a run that would read and compare the very same can say so and end at once.

Glue's own bookmarks are not used: they tell by the time of a file what is new, to hand on that alone. Here a run needs
everything that is archived, and compaction writes what is old into new files.

A bookmark is of the archive and of the index: unless both are where they were, it is worth nothing. It says nothing
about what was changed past the consumers, which moves neither: a run that looks for damage must not go by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.reconcile.job import Run


def bookmark_of(run: Run) -> dict[str, Any] | None:
    """Return the bookmark of a run; ``None`` unless it compared everything, and all of it was right or is now."""
    found = run.after or run.found
    if run.repaired is not None or not found.is_clean or found.touched or found.warehouse_behind:
        return None
    # A repair tells the feed again: the warehouse has not been compared with that, and the index has moved by it.
    warehouse = found.warehouse is not None
    return _bookmark(run.rules_digest, run.witness, run.computed.objects, run.exclusions, found.after, warehouse)


def is_unchanged(
    last: Mapping[str, Any] | None, rules: Ruleset, archive: Archive, position: EpochPosition, *, warehouse: bool
) -> bool:
    """Tell whether the report of the last run has the bookmark that a run under these rules would have now.

    ``position`` is the index's; ``warehouse``: there is one to compare with. Lists the archive, and reads none of it.
    """
    kept = None if last is None else last.get("bookmark")
    if kept is None:
        return False
    witness = archive.witness(rules.domain)
    objects = [each.name for each in archive.objects(rules.domain)]
    exclusions = archive.sources(rules.domain).read().exclusions
    return bool(kept == _bookmark(rules.digest, witness, objects, exclusions, position, warehouse))


def _bookmark(
    rules_digest: str,
    witness: EpochPosition | None,
    objects: Iterable[str],
    exclusions: Sequence[Exclusion],
    position: EpochPosition,
    warehouse: bool,
) -> dict[str, Any]:
    return {
        "rules_digest": rules_digest,  # bound to F
        "witness": None if witness is None else [witness.epoch, witness.clock, witness.sequence],
        "objects": digest_of(sorted(objects)),
        "exclusions": digest_of(sorted(map(repr, exclusions))),
        "warehouse": warehouse,
        "position": [position.epoch, position.clock, position.sequence],
    }
