"""The merge kind of schema: each message is merged into the tables that it changes; the newest change of a key wins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mdm_stream.warehouse import statements
from mdm_stream.warehouse.erasure import staged_erased, sweep
from mdm_stream.warehouse.migrations import check_schema, migrate
from mdm_stream.warehouse.remains import mentions
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.staging import FeedMessage, stage_messages


class MergeLayout:
    """A schema whose tables are written, each message by a MERGE into those that it changes."""

    appends = False
    select_published = statements.SELECT_PUBLISHED
    select_published_evidence = statements.SELECT_PUBLISHED_EVIDENCE
    select_erased = statements.SELECT_ERASED
    select_position = statements.SELECT_POSITION

    def migrate(self, session: Session) -> None:
        """Bring the schema up to this code; see ``migrations.migrate``."""
        migrate(session)

    def check(self, session: Session) -> None:
        """Check without writing that this code can read the schema."""
        check_schema(session)

    def apply(self, session: Session, messages: Sequence[FeedMessage], applied_at: datetime) -> None:
        """Stage the batch and merge it into the tables."""
        _apply(session, messages, applied_at)

    def settle(self, session: Session, now: datetime) -> None:
        """Do nothing: each batch is settled when it is applied."""

    def mentions(self, session: Session, domain: str, record: tuple[str, str]) -> list[str]:
        """Return the tables with rows whose provenance names the record."""
        return mentions(session, domain, record)


def _apply(session: Session, messages: Sequence[FeedMessage], applied_at: datetime) -> None:
    render = session.dialect.render
    with session.transaction():
        batch = stage_messages(session, messages, applied_at)
        if batch.erasures:
            session.execute(render(statements.MERGE_ERASED_RECORD), step="merge erased_record")
        if batch.changes:
            session.execute(render(statements.MERGE_CONTRIBUTION), step="merge contribution")
        if batch.changes or batch.erasures:
            session.execute(render(statements.MERGE_HISTORY), step="merge golden_history")
        if batch.changes:
            session.execute(render(statements.MERGE_GOLDEN_RECORD), step="merge golden_record")
        if batch.claims:
            session.execute(render(statements.MERGE_CROSSWALK), step="merge crosswalk")
        if batch.reports:
            session.execute(render(statements.MERGE_QUARANTINED_EVENT), step="merge quarantined_event")
        if batch.files:
            session.execute(render(statements.MERGE_FILE_LOADS), step="merge file_loads")
        if batch.evidence or batch.erasures:
            # With an erasure too: of two writers that write one and the other, the lock lets one see the other.
            session.execute(render(statements.MERGE_EVIDENCE), step="merge evidence_history")
        if batch.changes or batch.erasures or batch.evidence:
            sweep(session, staged_erased(session), applied_at)
        session.clear_staging()
