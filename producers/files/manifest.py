"""The manifest of a load, rendered from what exists of it: a pure function, whoever renders it and however often."""

from __future__ import annotations

from dataclasses import dataclass

from mdm_stream.contracts.file_manifest import FileDelivery, FileForm, FileManifest, FileState, FileWarning
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.errors import Reason
from producers.files.loads import LoadAttempt
from producers.files.records import (
    DeliveryRecord,
    FinishedRecord,
    LoadRecord,
    LoadVerdictRecord,
    PlanRecord,
    ReleaseRecord,
)
from producers.files.survey import Survey

DELIVERIES_LISTED_MAX = 100
"""Of a content that is delivered again and again, the first delivery and the last ones are listed."""

RETURNED = FileWarning(
    code="returned",
    path="as_of",
    message="the content was delivered again after another load of the source, and changes nothing: where the source "
    "is to go back to it, declare a time of the load (x-amz-meta-as-of, or {as_of:...} in the name)",
)


@dataclass(frozen=True, slots=True)
class LoadView:
    """All that is known of a load at one time."""

    attempt: LoadAttempt
    record: LoadRecord
    deliveries: tuple[DeliveryRecord, ...]
    plan: PlanRecord | None
    survey: Survey | None
    verdict: LoadVerdictRecord | None
    release: ReleaseRecord | None
    finished: FinishedRecord | None

    @property
    def state(self) -> FileState:
        """How far the load is."""
        decision = self.verdict.decision if self.verdict is not None else None
        if decision == "held" and self.release is not None:
            decision = self.release.decision
        if decision in ("failed", "held"):
            return decision
        if self.finished is not None:
            return "done"
        if self.plan is None:
            return "received"
        return "running" if decision == "run" or self.plan.route == "spark" else "validating"

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done of it."""
        return self.state in ("done", "failed")


def view_of(attempt: LoadAttempt) -> LoadView:
    """Read all that exists of a load."""
    store = attempt.store
    return LoadView(
        attempt=attempt,
        record=store.record(attempt.load_id),
        deliveries=tuple(store.deliveries(attempt.load_id)),
        plan=attempt.read("plan.json", PlanRecord) if attempt.has("plan.json") else None,
        survey=survey_of(attempt),
        verdict=attempt.read("verdict.json", LoadVerdictRecord) if attempt.has("verdict.json") else None,
        release=attempt.read("released.json", ReleaseRecord) if attempt.has("released.json") else None,
        finished=attempt.read("finished.json", FinishedRecord) if attempt.has("finished.json") else None,
    )


def survey_of(attempt: LoadAttempt) -> Survey | None:
    """Return the survey of an attempt, None before there is one."""
    if not attempt.has("survey.json"):
        return None
    return Survey.from_json(store_content(attempt, "survey.json"))


def store_content(attempt: LoadAttempt, what: str) -> bytes:
    """Return the bytes of an object of an attempt; ``MissingObjectError`` if it is not there."""
    return attempt.store.objects.get(attempt.name(what))


def render(view: LoadView) -> FileManifest:
    """Return the manifest. Rows are accounted for from the verdict on: before it, none is counted."""
    record, plan, survey, verdict, finished = view.record, view.plan, view.survey, view.verdict, view.finished
    sent_chunks = view.attempt.chunks_in("sent")
    counts = verdict or LoadVerdictRecord(decision="run", decided_at="")
    sent = sum(counts.accepted_by_chunk[number - 1] for number in sent_chunks if verdict is not None)
    released_by = view.release.by if view.release is not None else None
    return FileManifest(
        load_id=record.load_id,
        revision=max(1, view.attempt.revision),
        state=view.state,
        domain=record.domain,
        source=record.source,
        object=record.object,
        deliveries=_listed(view.deliveries),
        as_of=record.as_of,
        as_of_declared=record.as_of_declared,
        rules_digest=plan.rules_digest if plan is not None else None,
        load=plan.load if plan is not None else "incremental",
        route=plan.route if plan is not None else None,
        form=_form(survey),
        rows=counts.rows,
        accepted=counts.accepted,
        rejected=counts.rejected,
        skipped=counts.skipped,
        sent=sent if finished is None else finished.sent,
        deleted=0 if finished is None else finished.deleted,
        chunks=len(survey.chunks) if survey is not None else 0,
        chunks_checked=len(view.attempt.chunks_in("checked")),
        chunks_sent=len(sent_chunks),
        reasons=counts.reasons,
        warnings=_warnings(view, counts),
        rejected_rows=counts.rejected_rows,
        rejected_rows_at=_rejected_at(view) if counts.rejected else None,
        profile=counts.profile,
        job=plan.job if plan is not None else None,
        released_by=released_by,
        received_at=record.received_at,
        ended_at=_ended_at(view),
    )


def wire_reason(reason: Reason) -> QuarantineReason:
    """Return a reason as contracts have it."""
    return QuarantineReason(code=reason.code, path=reason.path, message=reason.message)


def _form(survey: Survey | None) -> FileForm | None:
    if survey is None or survey.format is None:
        return None
    dialect = survey.dialect if survey.format == "csv" else None
    return FileForm(
        format=survey.format,
        compression=survey.compression,
        encoding=None if dialect is None else dialect.encoding,
        delimiter=None if dialect is None else dialect.delimiter,
        quote=None if dialect is None else dialect.quote,
        columns=survey.shown_columns,
    )


def _warnings(view: LoadView, counts: LoadVerdictRecord) -> list[FileWarning]:
    later = view.finished.warnings if view.finished is not None else []
    returned = [RETURNED] if any(each.returned for each in view.deliveries) else []
    return [*counts.warnings, *later, *returned]


def _rejected_at(view: LoadView) -> str:
    return view.attempt.store.objects.location(view.attempt.name("checked/"))


def _ended_at(view: LoadView) -> str | None:
    if view.finished is not None:
        return view.finished.ended_at
    if view.state != "failed":
        return None
    if view.release is not None:
        return view.release.at
    return view.verdict.decided_at if view.verdict is not None else None


def _listed(deliveries: tuple[DeliveryRecord, ...]) -> list[FileDelivery]:
    shown = list(deliveries)
    if len(shown) > DELIVERIES_LISTED_MAX:
        shown = [shown[0], *shown[1 - DELIVERIES_LISTED_MAX :]]
    return [
        FileDelivery(bucket=each.bucket, key=each.key, version_id=each.version_id, delivered_at=each.delivered_at)
        for each in shown
    ]
