"""The gatekeeper: an object that was dropped becomes a load, and its first steps are done.

A load is a content of a source as of a time: its id is a digest of domain, source, the SHA-256 of the bytes and the
time that was declared. So a file that is delivered twice, under whatever name, is one load; each delivery is listed in
its manifest, and changes nothing else. The same invocation may run twice, or two at once: see ``steps``.
"""

from __future__ import annotations

from typing import Any

from mdm_stream.contracts.file_manifest import FileObject
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.times import format_time_us
from producers.files.admission import Admission, AdmittedObject, ObjectFacts, RefusedObject
from producers.files.drop import DropGoneError, DroppedObject
from producers.files.events import Drop, body_of, drops_in
from producers.files.manifest import view_of
from producers.files.records import AgainRecord, DeliveryRecord, LoadRecord
from producers.files.steps import LoadSteps
from producers.files.surroundings import LoadSurroundings


class Gatekeeper:
    """Receives objects, and does or hands out the steps of their loads."""

    def __init__(self, around: LoadSurroundings) -> None:
        self._around = around
        self._store = around.store
        self._admission = Admission(around.rulesets)
        self.steps = LoadSteps(around)

    def handle(self, event: dict[str, Any]) -> list[str]:
        """Do what an event asks for, in any form that ``events`` reads, or a step's message; return the loads' ids."""
        if "step" in event:
            self.steps.step(event)
            return [str(event["load"])]
        found = [self.receive(drop) for drop in drops_in(event)]
        return [load_id for load_id in found if load_id is not None]

    def handle_message(self, message: dict[str, Any]) -> list[str]:
        """Do what a message of a queue asks for."""
        return self.handle(body_of(message))

    def receive(self, drop: Drop) -> str | None:
        """Receive an object, and return the id of its load; ``None`` if the object is gone and no load waits for it."""
        try:
            dropped = self._around.bucket.look(drop)
            admitted = self._admission.admit(_facts(dropped))
            record = self._record(dropped, admitted)
        except DropGoneError:
            return self._resume(drop)
        record = self._store.begin(record)
        self._note_delivery(record, dropped)
        if isinstance(admitted, RefusedObject):
            attempt = self._store.attempt(record.load_id)
            self.steps.fail(attempt, admitted.reasons)
        self.steps.advance(record.load_id, dropped)
        return record.load_id

    def _record(self, dropped: DroppedObject, admitted: AdmittedObject | RefusedObject) -> LoadRecord:
        """Return what is known of a load before it is known whether there is one already; reads what is admitted."""
        known = FileObject(
            bucket=dropped.bucket,
            key=dropped.key,
            version_id=dropped.version_id,
            etag=dropped.etag,
            size_bytes=dropped.size_bytes,
        )
        as_of_us = None if isinstance(admitted, RefusedObject) else admitted.as_of_us
        place = f"{dropped.bucket}\n{dropped.key}\n{dropped.version_id}\n{dropped.etag}\n{dropped.size_bytes}"
        content = f"{place}\n{dropped.modified_at_us}"
        if isinstance(admitted, AdmittedObject) and dropped.size_bytes < self._around.limits.spark_bytes_min:
            content = self._around.bucket.digest(dropped)
            known = known.model_copy(update={"sha256": content})
        said = f"{admitted.domain}\n{admitted.source}\n{content}\n{'' if as_of_us is None else as_of_us}"
        return LoadRecord(
            load_id=digest_of_bytes(said.encode()),
            domain=admitted.domain,
            source=admitted.source,
            object=known,
            as_of=format_time_us(dropped.modified_at_us if as_of_us is None else as_of_us),
            as_of_declared=as_of_us is not None,
            received_at=format_time_us(self._around.now_us()),
        )

    def _note_delivery(self, record: LoadRecord, dropped: DroppedObject) -> None:
        """Note a delivery. One of a content that failed begins its load again, by the rules as they are now."""
        place = f"{dropped.bucket}\n{dropped.key}\n{dropped.version_id}\n{dropped.etag}\n{dropped.modified_at_us}"
        delivery_id = digest_of_bytes(place.encode())
        view = view_of(self._store.attempt(record.load_id))
        if f"deliveries/{delivery_id}.json" in view.attempt.names:
            return
        if view.state == "failed" and view.deliveries:
            begun = AgainRecord(because="delivery", delivery=delivery_id, at=format_time_us(dropped.modified_at_us))
            self._store.again(record.load_id, view.attempt.number + 1, begun)
        delivery = DeliveryRecord(
            bucket=dropped.bucket,
            key=dropped.key,
            version_id=dropped.version_id,
            etag=dropped.etag,
            delivered_at=format_time_us(dropped.modified_at_us),
            returned=bool(view.deliveries) and not record.as_of_declared and self._is_superseded(record),
        )
        self._store.objects.create(f"loads/{record.load_id}/deliveries/{delivery_id}.json", delivery.encode())

    def _is_superseded(self, record: LoadRecord) -> bool:
        """Tell whether another load of the source has a later time."""
        loads = self._store.loads_of(record.domain or "", record.source or "")
        latest = next((each for each in loads if each.load_id != record.load_id), None)
        return latest is not None and latest.as_of_us > record.as_of_us

    def _resume(self, drop: Drop) -> str | None:
        """Go on with the load of an object that is gone, if it was received before an invocation was cut short."""
        for load_id in list(self._store.open_loads()):
            record = self._store.record(load_id)
            if (record.object.bucket, record.object.key) != (drop.bucket, drop.key):
                continue
            if drop.version_id is None or record.object.version_id == drop.version_id:
                self.steps.advance(load_id)
                return load_id
        return None


def _facts(dropped: DroppedObject) -> ObjectFacts:
    return ObjectFacts(
        dropped.key, dropped.size_bytes, dropped.modified_at_us, dropped.encryption, dropped.metadata, dropped.tags
    )
