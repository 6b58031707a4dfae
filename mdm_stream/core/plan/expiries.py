"""When the first override of a record ends, as a commit writes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.core.overrides import next_expiry_us
from mdm_stream.core.plan.commit import Commit, Revision


def write_expiries(revisions: Sequence[Revision], commit: Commit) -> None:
    """Set what a commit writes of its records' expiries: where they change, or are to be written again."""
    for revision in revisions:
        before = None if revision.before is None else next_expiry_us(revision.before.state)
        after = next_expiry_us(revision.after.state)
        if after is not None and (revision.again or after != before):
            commit.put_expiries[revision.ref] = after
        elif after is None and (revision.again or before is not None):
            commit.drop_expiries.append(revision.ref)
