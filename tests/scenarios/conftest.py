"""A story, on a real Redis."""

from __future__ import annotations

import pytest
import redis
from storyline import Story


@pytest.fixture
def story(redis_client: redis.Redis) -> Story:
    """A story of which nothing was told yet."""
    return Story(redis_client)
