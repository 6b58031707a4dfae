"""No name of state holds a personal value: of an object, key, epoch, snapshot, witness, file or partition."""

from __future__ import annotations

from pathlib import Path

import pytest
from canary_operations import KINDS, RUNTIME, names_journey, planted
from canary_values import EMAIL, FORMS
from canary_world import World

pytestmark = [pytest.mark.one_redis, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Go the journey once."""
    return names_journey(Path(tmp_path_factory.mktemp("names")))


def test_no_name_and_no_line_of_a_command_has_a_value(world: World) -> None:
    """Of those that came by every path, and through everything that operators do to what is kept."""
    assert "\n".join(map(str, world.search.finds)) == ""


def test_every_kind_of_name_was_there(world: World) -> None:
    """A search of names that nothing has would prove nothing."""
    assert [kind for kind, count in world.names.items() if not count] == []
    assert set(world.names) == set(KINDS)
    searched = {place for place, size in world.search.bytes_by_place.items() if size}
    assert searched >= {
        "archive: names of objects", "quarantine: names of objects", "redis: names of keys",
        "golden feed: partition keys", "names of files", "commands: output", f"{RUNTIME}: log and metrics",
    }  # fmt: skip
    assert len(world.paths["commands"]) == 6


def test_the_values_were_kept_where_they_may_be() -> None:
    """The control: a value in a name is found, in any of its forms."""
    for name in FORMS:
        assert planted("names", b"domain=person/" + min(FORMS[name])) >= 1
    assert planted("names", b"domain=person/segments/newest/segment-1") == 0
    assert planted("names", f"mdm:main:{EMAIL}".encode()) == 1
