"""Settings that no stream could keep are refused when the consumer starts, with what they may be."""

from __future__ import annotations

import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.settings import FEED_RECORD_BYTES_MAX, ResolveSettings, settings_from_environment

ENVIRONMENT = {
    "MDM_RULES": "person",
    "MDM_REDIS_URL": "redis://localhost",
    "MDM_CHANGES_STREAM": "changes",
    "MDM_GOLDEN_STREAM": "golden",
    "MDM_QUARANTINE_URL": "file:///q",
    "MDM_ARCHIVE_URL": "file:///a",
}


@pytest.mark.parametrize("size", ["1", "65535", str(FEED_RECORD_BYTES_MAX + 1)])
def test_a_record_size_that_no_stream_has_is_refused(size: str) -> None:
    """A claim check itself must fit, and no stream takes more than 10 MiB."""
    with pytest.raises(ConfigurationError, match="feed_record_bytes_max must be from 65,536 to 10,485,760"):
        settings_from_environment(ResolveSettings, {**ENVIRONMENT, "MDM_FEED_RECORD_BYTES_MAX": size})


def test_the_record_size_is_what_every_stream_takes_unless_it_is_raised() -> None:
    """One mebibyte by default, and up to ten where the stream was set so."""
    assert settings_from_environment(ResolveSettings, ENVIRONMENT).feed_record_bytes_max == 1024**2
    raised = {**ENVIRONMENT, "MDM_FEED_RECORD_BYTES_MAX": str(FEED_RECORD_BYTES_MAX)}
    assert settings_from_environment(ResolveSettings, raised).feed_record_bytes_max == 10 * 1024**2
