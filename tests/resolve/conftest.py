"""A fresh world for each test of the resolver."""

import pytest
from resolver_world import World


@pytest.fixture
def world(redis_client, tmp_path):
    """A resolver with everything around it real but the streams."""
    return World(redis_client, tmp_path)
