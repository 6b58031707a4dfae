"""Settings are read once from what the caller gives, and a wrong one names its variable."""

from __future__ import annotations

import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.settings import FEED_RECORD_BYTES_MAX, EngineSettings, ResolveSettings

NEEDED = {
    "MDM_RULES": "person",
    "MDM_REDIS_URL": "redis://127.0.0.1:6379/0",
    "MDM_CHANGES_STREAM": "changes",
    "MDM_GOLDEN_STREAM": "golden",
    "MDM_QUARANTINE_URL": "file:///q",
    "MDM_ARCHIVE_URL": "file:///a",
}


def test_settings_go_to_an_environment_and_come_back():
    """What one process was configured by, it can hand on to another."""
    settings = ResolveSettings.from_environment({**NEEDED, "MDM_MERGE_HOLD": "true", "MDM_REDIS_TIMEOUT_S": "1.5"})
    assert (settings.merge_hold, settings.redis_timeout_s, settings.namespace) == (True, 1.5, "main")
    assert ResolveSettings.from_environment(settings.to_environment()) == settings


def test_keywords_alone_read_no_environment(monkeypatch):
    """Settings that are made in code do not change with the process's environment."""
    monkeypatch.setenv("MDM_COMMIT_ATTEMPTS_MAX", "3")
    assert EngineSettings().commit_attempts_max != 3
    assert EngineSettings.from_environment({"MDM_COMMIT_ATTEMPTS_MAX": "3"}).commit_attempts_max == 3


def test_settings_cannot_be_changed():
    """They are read once, and shared."""
    with pytest.raises(ValueError, match="frozen"):
        EngineSettings().commit_attempts_max = 3


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "set MDM_RULES, MDM_REDIS_URL, .*: the resolve consumer needs them"),
        ({**NEEDED, "MDM_RULES": ""}, "set MDM_RULES: the resolve consumer needs it"),
        ({**NEEDED, "MDM_REDIS_TIMEOUT_S": "s3cret"}, "MDM_REDIS_TIMEOUT_S should be a valid number"),
        ({**NEEDED, "MDM_MERGE_HOLD": "perhaps"}, "MDM_MERGE_HOLD should be a valid boolean"),
        ({**NEEDED, "MDM_FEED_RECORD_BYTES_MAX": "12"}, "MDM_FEED_RECORD_BYTES_MAX should be greater than or equal to"),
    ],
)
def test_a_wrong_setting_names_its_variable_and_not_its_value(environment, message):
    """The error says what to correct; what was given may be a secret, and is not repeated."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        ResolveSettings.from_environment(environment)
    assert "s3cret" not in str(caught.value)


def test_limits_that_contradict_each_other_are_refused():
    """The relation between two limits is checked as each limit is."""
    with pytest.raises(ConfigurationError, match="must not be above"):
        EngineSettings.from_environment({"MDM_BACKOFF_MS_BASE": "100", "MDM_BACKOFF_MS_MAX": "10"})
    with pytest.raises(ConfigurationError, match="MDM_REEVALUATIONS_MAX"):
        EngineSettings.from_environment({"MDM_REEVALUATIONS_MAX": "0"})


@pytest.mark.parametrize("size", ["1", "65535", str(FEED_RECORD_BYTES_MAX + 1)])
def test_a_record_size_that_no_stream_has_is_refused(size: str) -> None:
    """A claim check itself must fit, and no stream takes more than 10 MiB."""
    with pytest.raises(
        ConfigurationError, match=r"MDM_FEED_RECORD_BYTES_MAX should be (greater|less) than or equal to"
    ):
        ResolveSettings.from_environment({**NEEDED, "MDM_FEED_RECORD_BYTES_MAX": size})


def test_the_record_size_is_what_every_stream_takes_unless_it_is_raised() -> None:
    """One mebibyte by default, and up to ten where the stream was set so."""
    assert ResolveSettings.from_environment(NEEDED).feed_record_bytes_max == 1024**2
    raised = {**NEEDED, "MDM_FEED_RECORD_BYTES_MAX": str(FEED_RECORD_BYTES_MAX)}
    assert ResolveSettings.from_environment(raised).feed_record_bytes_max == 10 * 1024**2
