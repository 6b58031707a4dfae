"""A release that changes a standardiser, under load, and back: refused without a rebuild, exact after it, none lost."""

from __future__ import annotations

import pytest
from release_under_load import Step, run

from mdm_stream.core.f_version import F_VERSION, f_digest, f_part, rules_part

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # the first test waits for both steps


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Step, Step]:
    """To the other release, which is deployed before the rebuild, and back, where the rebuild comes first."""
    return run(tmp_path_factory.mktemp("release"))


@pytest.mark.parametrize("number", [0, 1], ids=["forth", "back"])
def test_another_f_is_refused_until_the_rebuild(steps: tuple[Step, Step], number: int) -> None:
    """A consumer of an F that the index is not of writes nothing, and its log says what differs and what to do.

    Both times that is the other release's: on the way there for it comes before the rebuild, on the way back after it.
    """
    step = steps[number]
    assert (
        f"built by another F, from the same rules (F_VERSION {F_VERSION} there, {F_VERSION + 1} here)" in step.refused
    )
    assert step.refused.endswith("mdm-stream rebuild")
    assert step.commits_while_refused == 0


@pytest.mark.parametrize("number", [0, 1], ids=["forth", "back"])
def test_after_the_rebuild_all_is_f_of_the_release(steps: tuple[Step, Step], number: int) -> None:
    """Index, feed and warehouse are exactly what its F gives for all that was delivered; nothing was lost."""
    step = steps[number]
    assert step.index.crosswalk == step.expected.crosswalk
    assert step.index.golden == step.expected.golden
    assert step.index.review == step.expected.review
    assert step.feed.golden == step.expected.golden
    assert step.feed.crosswalk == step.expected.crosswalk
    assert step.warehouse == step.feed
    assert step.is_exact
    assert (step.lost, step.on_failure) == (0, [])
    assert step.differing > 0, "the two releases do not differ in what they give"


def test_each_step_is_a_new_epoch_of_another_f(steps: tuple[Step, Step]) -> None:
    """Three epochs: this F, the other one, and this one again, under the same rules; the feed says which is which."""
    forth, back = steps
    assert (forth.report["epoch"], back.report["epoch"]) == (2, 3)
    digests = dict(back.epochs)
    assert sorted(digests) == [1, 2, 3]
    assert digests[1] == digests[3] == back.rules_digest
    assert digests[2] == forth.rules_digest == forth.report["rules_digest"]
    assert len({rules_part(digest) for digest in digests.values()}) == 1
    assert f_part(digests[1]) == f_digest() != f_part(digests[2])


@pytest.mark.parametrize("number", [0, 1], ids=["forth", "back"])
def test_the_feed_is_told_differences_alone(steps: tuple[Step, Step], number: int) -> None:
    """What both releases give alike is not told again."""
    step = steps[number]
    assert 0 < step.report["told"] < step.report["golden"]
