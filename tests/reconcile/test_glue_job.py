"""The job as Glue runs it, in the process of a session that is there: what it says, keeps, leaves and skips."""

from __future__ import annotations

import orjson
import pytest
from glue_world import CREDENTIALS, Deployed
from moto.server import ThreadedMotoServer

from consumers.reconcile.run import DriftFoundError
from mdm_stream.reconcile.deployed import RESUME_S
from mdm_stream.reconcile.job import STAGES, stage_number
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES


@pytest.fixture
def deployed(redis_client, redis_url, tmp_path, monkeypatch):
    """A small population, resolved."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    try:
        world = Deployed(redis_client, redis_url, tmp_path)
        world.deliver(15, 1)
        yield world
    finally:
        server.stop()


def told(capsys) -> list[dict]:
    """Return the lines that the job has written since."""
    return [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.one_redis
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_says_keeps_and_leaves_what_it_should(deployed, spark, capsys):
    """Clean, unchanged, damaged, repaired: the job fails where something is left, and no table outlives it."""
    deployed.run(SKIP_UNCHANGED="true")
    lines = told(capsys)
    assert [line["Drift"] for line in lines if "_aws" in line] == [0]
    assert lines[-1]["clean"] is True
    numbers = [stage_number(line["stage"]) for line in lines if "stage" in line]
    assert numbers == sorted(numbers)
    assert {*numbers} == {*range(1, len(STAGES) + 1)}
    assert not any((deployed.folder / "work").rglob("*.parquet"))
    report = orjson.loads(deployed.kept(".json")[0])
    assert (report["drift"], report["bookmark"]["rules_digest"]) == (0, deployed.rules.digest)

    deployed.run(SKIP_UNCHANGED="true")
    (line,) = told(capsys)
    assert (line["service"], line["message"], line["domain"]) == ("reconcile", "skipped", "person")
    assert line["why"] == "nothing was archived or committed since the last clean run"

    golden_id = deployed.damage()
    with pytest.raises(DriftFoundError, match=r"person: 1 differences are left \(1 stale_golden\); the report is /"):
        deployed.run()
    assert not any((deployed.folder / "work").rglob("*.parquet"))
    page = deployed.kept(".html")[0].decode()
    assert golden_id in page
    assert "Elsewhere" not in page

    told(capsys)
    deployed.run(REPAIR="true", SKIP_UNCHANGED="true")  # the last run was not clean
    assert [line["Drift"] for line in told(capsys) if "_aws" in line] == [0]
    report = orjson.loads(deployed.kept(".json")[0])
    assert (report["drift"], report["after_repair"]["drift"], report["bookmark"]) == (1, 0, None)


@pytest.mark.one_redis
@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_moved_since_is_not_skipped(deployed, spark, capsys):
    """Neither new deliveries, nor other rules, nor another epoch's index."""
    deployed.run()
    deployed.deliver(3, 2)
    told(capsys)
    deployed.run(SKIP_UNCHANGED="true")
    assert "skipped" not in {line.get("message") for line in told(capsys)}
    rules = deployed.folder / "rules.yaml"
    rules.write_text(DEMO_RULES.replace("version: 1", "version: 2").replace("0.9", "0.91", 1))
    assert load_ruleset(rules).digest != deployed.rules.digest
    with pytest.raises(DriftFoundError, match="not compared"):
        deployed.run(SKIP_UNCHANGED="true")


@pytest.mark.one_redis
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_killed_job_is_gone_on_with_unless_it_is_old(deployed, spark, capsys, monkeypatch):
    """What was recomputed is read again within the time that it is good for, and computed anew after it."""

    class Killed(BaseException):
        pass

    def killed(*_arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("mdm_stream.reconcile.compare.write_index", killed)
        with pytest.raises(Killed):
            deployed.run()
    assert any((deployed.folder / "work").rglob("*.parquet"))
    told(capsys)
    with monkeypatch.context() as patched:
        patched.setattr("mdm_stream.reconcile.compare.write_index", killed)
        with pytest.raises(Killed):
            deployed.run()
    assert {line["seconds"] for line in told(capsys) if line.get("stage") in {"records", "edges", "review"}} == {0.0}
    [begun] = (deployed.folder / "work").rglob("begun.json")
    begun.write_bytes(orjson.dumps({"time_s": orjson.loads(begun.read_bytes())["time_s"] - RESUME_S}))
    deployed.run()
    assert 0.0 not in {line["seconds"] for line in told(capsys) if line.get("stage") in {"records", "edges", "review"}}
    assert not any((deployed.folder / "work").rglob("*.parquet"))
