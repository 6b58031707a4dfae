"""Histories declared ahead are adopted, those declared afterwards rebuilt: the state is F of all that was delivered."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson
import pytest
from click.testing import CliRunner
from failover_world import NEW_GTIDS, NEW_SERVER, dms, mysql, rules_of, rules_text
from open_authority import ANYBODY

from mdm_stream.archive import open_archive
from mdm_stream.cli.commands.rules import rules as rules_command
from mdm_stream.cli.obstacles import Obstacles
from mdm_stream.core.reference import resolve
from mdm_stream.core.times import parse_time_us
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.epochs import ADOPTING, Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild import adopt as adopt_module
from mdm_stream.rebuild.adopt import adopt
from mdm_stream.rebuild.archived_falls import falls_of
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver

pytestmark = pytest.mark.one_redis

ARRIVED_US = parse_time_us("2026-02-02T00:00:00Z")
TOLERANCE_US = 300_000_000
BEFORE = (
    mysql(1, "2026-01-05T08:00:00Z", 812, 4000, city="Leeds"),
    mysql(2, "2026-01-05T08:00:01Z", 812, 5000, city="York"),
    dms(1, "2026-01-01T00:00:00Z", "load", city="Leeds"),
    dms(1, "2026-01-03T00:00:00Z", "update", 154, city="Hull"),
    dms(2, "2026-01-03T00:01:00Z", "insert", 155, city="York"),
)
AFTER = (
    mysql(1, "2026-01-31T22:53:20Z", 31, 700, server=NEW_SERVER, gtids=NEW_GTIDS, city="Bath"),
    mysql(2, "2026-01-31T22:53:21Z", 31, 900, op="d", server=NEW_SERVER, gtids=NEW_GTIDS),
    dms(1, "2026-02-01T00:00:05Z", "load", city="Ripon"),
    dms(2, "2026-02-01T00:00:05Z", "load", city="Selby"),
)
TRUTH = {"shop/1": "Bath", "crm/1": "Ripon", "crm/2": "Selby"}
AHEAD = {"shop": "[{server_id: 223355, from: 2026-01-20}]", "crm": "[{from: 2026-02-01T00:00:00Z}]"}
AFTERWARDS = {"shop": f"[{{server_id: {NEW_SERVER}}}]", "crm": "[{from: 2026-02-01T00:00:00Z}]"}


class Silence:
    """Streams that take everything, and on which nothing was published."""

    def publish(self, messages) -> None:
        """Take messages."""

    def read(self, state) -> None:
        """Nothing was published."""

    finish = read


class Deployed:
    """Consumers of one archive and one Redis, which can be deployed anew with other rules."""

    def __init__(self, client, folder, rules) -> None:
        self.client, self.folder = client, folder
        self.archive = open_archive((folder / "archive").as_uri())
        self.delivered: list[Delivery] = []
        self.deploy(rules)

    def deploy(self, rules) -> None:
        """Start a consumer with these rules."""
        self.rules = rules
        index = RedisIndex(self.client, rules, witness=lambda: self.archive.witness("person"))
        self.index = index
        parts = DomainResolver(
            Engine(rules, index, sleep=lambda _: None), index, index, MergeWatch(10**6, lambda: 0.0), lambda _: None
        )
        self.resolver = Resolver(
            Intake(Decoder({"person": rules}), ANYBODY), {"person": parts}, archive=self.archive,
            quarantine=open_quarantine((self.folder / "quarantine").as_uri()), golden=Silence(), steward=Silence(),
            now_us=lambda: time.time_ns() // 1_000, expiries_per_tick_max=10,
        )  # fmt: skip

    def handle(self, *messages):
        """Deliver messages in one batch."""
        batch = []
        for message in messages:
            place = len(self.delivered) + 1
            batch.append(
                Delivery(orjson.dumps(message), str(place).zfill(64), ARRIVED_US + place, f"changes/0:{place}")
            )
            self.delivered.append(batch[-1])
        return self.resolver.handle(batch)

    def rebuild(self) -> None:
        """Rebuild with the rules in use."""
        socket = self.client.connection_pool.connection_kwargs["path"]
        Rebuild(
            self.rules, f"unix://{socket}", "main", archive=self.archive, golden=Silence(), published=Silence(),
            options=RebuildOptions(workers=1, publish_grace_s=0.0),
        ).run()  # fmt: skip

    def state(self):
        """Return what the index holds."""
        index = RedisIndex(self.client, self.rules)
        return index.snapshot()

    def f_of_all(self):
        """Return F of everything delivered, under the rules in use."""
        decoder = Decoder({"person": self.rules})
        return resolve(self.rules, [event for each in self.delivered for event in decoder.decode(each)])

    def cities(self):
        """Return the city of each live record by what F says of everything delivered."""
        index = RedisIndex(self.client, self.rules)
        records = index.read_records(["shop/1", "shop/2", "crm/1", "crm/2"])
        return {ref: record.state.columns().get("city") for ref, record in records.items() if record.state.live}


@pytest.fixture
def deployed(redis_client, tmp_path):
    """Consumers that have rules without histories, and have handled everything before failover and reload."""
    made = Deployed(redis_client, tmp_path, rules_of(tmp_path))
    assert made.handle(*BEFORE).falls == []
    return made


def test_histories_declared_ahead_are_adopted_and_give_the_truth(deployed, tmp_path):
    """Without a rebuild: the epoch is the same, and failover and reload then supersede what was before them."""
    old_consumer, ahead = deployed.resolver, rules_of(tmp_path, **AHEAD)
    done = adopt(deployed.client, ahead, "main", deployed.archive)
    assert (done.outcome, done.rows, done.sources) == ("adopted", len(BEFORE), {})
    deployed.deploy(ahead)
    assert deployed.handle(*AFTER).first_failed is None
    assert deployed.cities() == TRUTH
    assert deployed.state() == deployed.f_of_all()
    assert deployed.index.epoch == 1
    refused = old_consumer.handle(deployed.delivered[:1])
    assert refused.first_failed == 0
    assert "another rule set" in refused.cause
    assert adopt(deployed.client, ahead, "main", deployed.archive).outcome == "same"


def test_what_arrived_too_early_to_belong_to_an_added_history_is_not_decoded(deployed, tmp_path):
    """An arrival more than a day before it is proof enough."""
    later = rules_of(tmp_path, shop="[{from: 2026-02-04}]")
    done = adopt(deployed.client, later, "main", deployed.archive)
    assert (done.outcome, done.rows) == ("adopted", 0)


@pytest.mark.parametrize("declared", [AFTERWARDS, {"crm": "[{from: 2026-01-02}]"}, {"shop": "[{server_id: 223344}]"}])
def test_a_history_that_something_delivered_belongs_to_is_not_adopted(deployed, tmp_path, declared):
    """The index stays as it was, for the consumers that it has; a rebuild gives F of all that was delivered."""
    deployed.handle(*AFTER)
    held = Epochs(deployed.client, deployed.rules, "main").digest()
    afterwards = rules_of(tmp_path, **declared)
    done = adopt(deployed.client, afterwards, "main", deployed.archive)
    assert (done.outcome, set(done.sources)) == ("refused", set(declared))
    assert Epochs(deployed.client, deployed.rules, "main").digest() == held
    assert deployed.handle(mysql(9, "2026-01-05T08:00:00Z", 812, 6000)).first_failed is None
    with pytest.raises(IndexInDoubtError, match="rebuild"):
        RedisIndex(deployed.client, afterwards, witness=lambda: None).bind()
    deployed.rules = afterwards
    deployed.rebuild()
    assert deployed.state() == deployed.f_of_all()


def test_histories_declared_afterwards_give_the_truth_by_a_rebuild(deployed, tmp_path):
    """Nothing was lost in between."""
    deployed.handle(*AFTER)
    assert deployed.cities() == {"shop/1": "Leeds", "shop/2": "York", "crm/1": "Hull", "crm/2": "York"}
    deployed.rules = rules_of(tmp_path, **AFTERWARDS)
    deployed.rebuild()
    assert deployed.cities() == TRUTH
    assert deployed.state() == deployed.f_of_all()


def test_other_rules_are_not_adopted(deployed, tmp_path):
    """One changed setting beside the history is a change of F."""
    ahead = rules_of(tmp_path, **AHEAD)
    other = (tmp_path / "other.yaml", rules_text(**AHEAD) + "limits: {max_cluster_size: 150}\n")
    other[0].write_text(other[1])
    assert (
        adopt(deployed.client, adopt_module.with_digest(replace(ahead, max_links=7)), "main", deployed.archive).outcome
        == "other"
    )
    assert Epochs(deployed.client, ahead, "main").digest() == deployed.rules.digest


def test_an_adoption_that_is_killed_leaves_a_fence_and_can_be_run_again(deployed, tmp_path):
    """Nobody commits or confirms meanwhile, whatever their rules; and the second one finds what the first one did."""
    ahead = rules_of(tmp_path, **AHEAD)
    epochs = Epochs(deployed.client, ahead, "main")
    assert epochs.replace_digest(deployed.rules.digest, ADOPTING + deployed.rules.digest)
    held = deployed.handle(*AFTER)
    assert (held.first_failed, "rules adopt" in held.cause) == (0, True)
    deployed.deploy(ahead)
    assert deployed.resolver.handle(deployed.delivered[:1]).first_failed == 0
    assert adopt(deployed.client, ahead, "main", deployed.archive).outcome == "adopted"
    assert deployed.resolver.handle(deployed.delivered).first_failed is None
    assert deployed.cities() == TRUTH
    assert deployed.state() == deployed.f_of_all()


def test_what_was_committed_and_not_confirmed_before_an_adoption_ends_as_f_says(deployed, tmp_path, monkeypatch):
    """A consumer that commits a change of the new history under the old rules, and is fenced before it is done."""
    ahead = rules_of(tmp_path, **AHEAD)
    archive_append = deployed.resolver._append_once.append

    def adopted_first(*arguments):
        assert adopt(deployed.client, ahead, "main", deployed.archive).outcome == "adopted"
        return archive_append(*arguments)

    monkeypatch.setattr(deployed.resolver._append_once, "append", adopted_first)
    assert deployed.handle(*AFTER).first_failed == 0
    deployed.deploy(ahead)
    assert deployed.resolver.handle(deployed.delivered).first_failed is None
    assert deployed.cities() == TRUTH
    assert deployed.state() == deployed.f_of_all()


def test_undeclared_histories_are_told_within_the_batch_that_they_cost(deployed, tmp_path):
    """In the report, beside the archive, in the window of `up`, by `rules check --on archive`: with the line to add."""
    said: list[str] = []
    window = Obstacles(deployed.client, [deployed.rules], "main", deployed.archive, said.append)
    window.look()
    assert said == []
    report = deployed.handle(*AFTER)
    assert report.totals.absorbed_later == {"shop": 2, "crm": 2}
    lines = ["- {from: 2026-02-01T00:00:05Z}", "- {server_id: 223355, from: 2026-01-05T08:00:02Z}"]
    assert all(line in "\n".join(report.falls) for line in lines)
    assert report.summary()["positions_fall"] == report.falls
    noted = deployed.archive.falls("person").undeclared(deployed.rules, time.time_ns() // 1_000)
    assert [fall.line for fall in noted] == lines
    window.look()
    window.look()
    assert [line in text for line, text in zip(lines, said, strict=True)] == [True, True]
    found, rows = falls_of(deployed.archive, deployed.rules, TOLERANCE_US)
    assert ([fall.line for fall in found], rows) == (lines, len(deployed.delivered))
    declared = rules_of(tmp_path, **AFTERWARDS)
    assert deployed.archive.falls("person").undeclared(declared, time.time_ns() // 1_000) == []
    assert falls_of(deployed.archive, declared, TOLERANCE_US)[0] == []


def test_the_lines_that_are_told_give_the_truth(deployed, tmp_path):
    """Copied into the rules, a rebuild gives what the databases hold."""
    deployed.handle(*AFTER)
    found, _ = falls_of(deployed.archive, deployed.rules, TOLERANCE_US)
    deployed.rules = rules_of(tmp_path, **{fall.source: f"[{fall.line.removeprefix('- ')}]" for fall in found})
    deployed.rebuild()
    assert deployed.cities() == TRUTH


def test_the_command_that_checks_rules_reads_the_archive(deployed, tmp_path):
    """Every fall is named, and nothing of a value."""
    deployed.handle(*AFTER)
    arguments = ["check", str(tmp_path / "rules.yaml"), "--on", "archive", "--state", str(tmp_path)]
    plain = CliRunner().invoke(rules_command, arguments)
    assert (plain.exit_code, plain.output.count("positions of source")) == (0, 2)
    assert not any(city in plain.output for city in ("Bath", "Ripon", "Leeds"))
    as_json = orjson.loads(CliRunner().invoke(rules_command, [*arguments, "--json"]).output)
    assert [fall["source"] for fall in as_json["falls"]] == ["crm", "shop"]
