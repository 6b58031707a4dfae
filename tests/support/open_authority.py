"""An authority that lets every way in say everything: for tests of what happens to events that may be said."""

from __future__ import annotations

from mdm_stream.decode.authority import EVERYTHING, OTHER_STREAMS, Authority, Policy

ANYBODY = Authority(Policy({OTHER_STREAMS: EVERYTHING}, {}))
