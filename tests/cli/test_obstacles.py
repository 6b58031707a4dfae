"""What `up` says of domains that cannot be written, and of rebuilds: each begin has its end."""

from __future__ import annotations

import pytest
from small_world import small_rules

from mdm_stream.archive import Archive
from mdm_stream.cli.obstacles import Obstacles
from mdm_stream.core.model import RecordEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.epochs import hold, release
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.objects.folder import FolderObjects

RULES = small_rules()
EVENT = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"given_name": "Ann"})


@pytest.mark.parametrize("completed", [True, False])
def test_a_rebuild_that_was_said_to_run_is_said_to_be_over(redis_client, tmp_path, completed):
    """Once, switched or abandoned, with the epoch that is live then."""
    live = RedisIndex(redis_client, RULES)
    said: list[str] = []
    obstacles = Obstacles(redis_client, [RULES], "main", Archive(FolderObjects(tmp_path)), said.append)
    obstacles.look()
    assert said == []
    number = live.epochs.begin()
    Engine(RULES, RedisIndex(redis_client, RULES, building=number)).process([EVENT])
    obstacles.look()
    assert said.pop().startswith(f"domain 'person': a rebuild fills epoch {number}, 1 commits")
    assert live.epochs.go_live(number) if completed else live.epochs.abandon(number)
    obstacles.look()
    obstacles.look()
    assert said == [f"domain 'person': the rebuild is over; epoch {number if completed else 1} is live"]


def test_a_hold_is_said_with_what_ends_it(redis_client, tmp_path):
    """When it begins, with the command, and when it is over."""
    RedisIndex(redis_client, RULES)
    said: list[str] = []
    obstacles = Obstacles(redis_client, [RULES], "main", Archive(FolderObjects(tmp_path)), said.append)
    hold(redis_client, "main", "person", "storm")
    obstacles.look()
    assert "mdm-stream release person" in said[0]
    release(redis_client, "main", "person")
    obstacles.look()
    obstacles.look()
    assert said[1:] == ["domain 'person' is written again, in epoch 1; the events held back are delivered now"]
