"""A canary value goes by every path of the Lambda functions and of the KCL's process; nothing they write has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from canary_journey import journey
from canary_values import ATTRIBUTES, FORMS, Search, values_in
from canary_world import BY_DESIGN, World
from log_shape import wrong_lines

from mdm_stream.core.standardise import fold

pytestmark = [pytest.mark.long, pytest.mark.one_redis, pytest.mark.timeout(1_200)]

RUNTIMES = {"resolve", "kcl", "warehouse", "snowflake", "files", "files-worker", "events-api"}
SEEN_BY_THE_WAY = {"archive", "quarantine", "index", "golden feed", "warehouse", "loads of files", "dead letters"}
"""Places that may hold values and must, or the values never came where they could have been written."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Go the whole journey once."""
    return journey(Path(tmp_path_factory.mktemp("canary")))


def test_the_value_is_nowhere_that_it_may_not_be(world: World) -> None:
    """In no log, metric, trace, answer or error, and in no name of an object, key or file."""
    assert "\n".join(map(str, world.search.finds)) == ""


def test_every_path_was_gone(world: World) -> None:
    """Both runtimes met everything: good, bad, erased and crashed; faults came out as errors, and processes ended."""
    assert set(world.paths) == RUNTIMES
    for runtime in ("resolve", "kcl"):
        kinds = {path.partition(":")[0] for path in world.paths[runtime]}
        assert kinds >= {"good", "steward", "bad", "erased", "crashed", "failed over"}
    assert world.errors > 0
    assert world.ends > 0
    assert world.traces.segments > 0
    names = {span.name for span in world.spans.spans}
    assert names >= {
        "decode",
        "read",
        "score",
        "plan",
        "commit",
        "archive",
        "publish",
        "duckdb",
        "snowflake",
        "message",
    }


def test_the_value_is_where_it_is_kept_by_design(world: World) -> None:
    """Otherwise finding it nowhere would prove nothing."""
    assert set(world.held) <= set(BY_DESIGN)
    assert {place for place, values in world.held.items() if values} >= SEEN_BY_THE_WAY


def test_everything_written_was_searched(world: World) -> None:
    """Each runtime wrote a log, those that call AWS had traces, and each store has names."""
    searched = {place for place, size in world.search.bytes_by_place.items() if size}
    assert searched >= {f"{runtime}: log and metrics" for runtime in RUNTIMES}
    assert searched >= {f"{runtime}: traces" for runtime in ("resolve", "events-api")}
    assert searched >= {f"{runtime}: spans" for runtime in RUNTIMES}
    assert searched >= {
        "archive: names of objects",
        "quarantine: names of objects",
        "redis: names of keys",
        "golden feed: partition keys",
        "kcl: health files",
        "names of files",
        "what Prometheus reads",
    }


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_every_line_has_the_shape(world: World, runtime: str) -> None:
    """Whatever wrote it: the function itself, its modules, a library; but not Lambda's own line of an error."""
    written = (world.folder / f"{runtime}.log").read_text("utf-8")
    lines = [line for line in written.splitlines() if not line.startswith("[ERROR] {")]
    assert lines != []
    assert wrong_lines("\n".join(lines)) == []


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_value_in_a_log_line_is_found(name: str) -> None:
    """The control: planted in a line, as it is and as standardisers leave it, it is found."""
    for text in (ATTRIBUTES[name], ATTRIBUTES[name].upper(), fold(ATTRIBUTES[name])):
        search = Search()
        search.look("log", "control", b'{"message": "batch"}\n')
        assert search.finds == []
        search.look("log", "control", f'{{"message": "batch", "cause": "not {text}"}}'.encode())
        assert name in {find.value for find in search.finds}
    assert values_in(b"nothing of the kind") == {}
