"""Wire formats to change events: canonical JSON, rows of tables (CDC), CSV; and what wraps them on a stream."""

from mdm_stream.decode.decoder import ClaimedIdentity, Decoder, Ignored, claimed_identity
from mdm_stream.decode.delivery import POSITION_DIGITS, Delivery
from mdm_stream.decode.files.csv_rows import iter_csv_events
from mdm_stream.decode.files.event_files import file_events, line_events
from mdm_stream.decode.unpacking import unpack

__all__ = [
    "POSITION_DIGITS",
    "ClaimedIdentity",
    "Decoder",
    "Delivery",
    "Ignored",
    "claimed_identity",
    "file_events",
    "iter_csv_events",
    "line_events",
    "unpack",
]
