"""S3 refuses to take what was accepted: nothing is published that is not archived, and nothing is lost."""

from __future__ import annotations

import orjson
import pytest
from resolver_world import upsert

from mdm_stream.decode import Delivery
from mdm_stream.errors import TerminalError, TransientError

BATCH = [Delivery.from_row(orjson.dumps(upsert(str(n))), n, f"changes/{n}") for n in range(5)]


def refuse_with(error: Exception):
    """Return what appends to no archive."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse


def assert_done(world) -> None:
    """The batch, delivered again, is archived once and published."""
    assert world.golden.messages == []
    done = world.resolver.handle(BATCH)
    assert (done.first_failed, done.published > 0) == (None, True)
    assert len(world.rows()) == len(BATCH)
    assert world.archive.witness("person") == world.index.position()


def test_an_archive_that_is_denied_ends_the_invocation_and_publishes_nothing(world, monkeypatch):
    """No retry helps, so the function ends with an error that names the code, and Lambda delivers the batch again."""
    with monkeypatch.context() as patch:
        patch.setattr(world.archive, "append", refuse_with(TerminalError("cannot write to the archive: AccessDenied")))
        for _ in range(3):
            with pytest.raises(TerminalError, match="AccessDenied"):
                world.resolver.handle(BATCH)
    assert_done(world)


def test_an_archive_that_is_slow_fails_the_batch_and_publishes_nothing(world, monkeypatch):
    """What may pass is reported: the batch is named as failed from its first event."""
    with monkeypatch.context() as patch:
        patch.setattr(world.archive, "append", refuse_with(TransientError("cannot write to the archive: SlowDown")))
        reports = [world.resolver.handle(BATCH) for _ in range(3)]
    assert [(report.first_failed, report.archived, report.published) for report in reports] == [(0, 0, 0)] * 3
    assert "SlowDown" in reports[0].cause
    assert_done(world)
