"""What the emitter sends of a segment: calls and times, and no value."""

from __future__ import annotations

import socket

from aws_xray_sdk.core.models.segment import Segment
from aws_xray_sdk.core.models.subsegment import Subsegment

from mdm_stream.aws.value_free_traces import ValueFreeEmitter


def test_a_segment_is_sent_without_values() -> None:
    """Texts of exceptions, parameters of calls and paths go; type, operation, host and status stay."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        emitter = ValueFreeEmitter()
        emitter.set_daemon_address(f"127.0.0.1:{daemon.getsockname()[1]}")
        segment = Segment("resolve")
        call = Subsegment("s3", "aws", segment)
        segment.add_subsegment(call)
        call.set_aws({"operation": "GetObject", "bucket_name": "drops", "key": "person/Wilhelmina.csv"})
        call.put_http_meta("url", "https://drops.example/person/Wilhelmina.csv?name=Wilhelmina")
        call.put_http_meta("status", 404)
        for entity in (segment, call):
            entity.add_exception(ValueError("no object Wilhelmina"), [])
        call.close()
        segment.close()
        emitter.send_entity(segment)
        sent = daemon.recv(65_535).decode()
    assert "Wilhelmina" not in sent
    for kept in ("ValueError", "GetObject", "https://drops.example", "404"):
        assert kept in sent
