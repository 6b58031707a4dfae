"""A domain with an index, an archive and a golden feed, and the arguments of a job on Glue that reconciles it.

What it has of AWS is where the environment says (``AWS_ENDPOINT_URL``).
"""

from __future__ import annotations

import boto3
import orjson

from consumers.reconcile.job import main
from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
GLUE_PASSES = ["--JOB_NAME", "mdm", "--JOB_RUN_ID", "jr_1", "--TempDir", "s3://t/", "--job-bookmark-option", "x"]


class Deployed:
    """A domain with an index and an archive, a golden feed, and the arguments of a job that reconciles it."""

    def __init__(self, client, url: str, folder, store_url: str = "") -> None:
        self.client, self.folder = client, folder
        store_url = store_url or folder.as_uri()
        (folder / "rules.yaml").write_text(DEMO_RULES)
        self.rules = load_ruleset(folder / "rules.yaml")
        self.index = RedisIndex(client, self.rules)
        self.archive = open_archive(f"{store_url}/archive")
        kinesis = boto3.client("kinesis")
        if "golden" in kinesis.list_streams()["StreamNames"]:  # of an earlier test: moto's servers share what they have
            kinesis.delete_stream(StreamName="golden")
        kinesis.create_stream(StreamName="golden", ShardCount=1)
        self.feed = FeedPublisher(kinesis, "golden")
        self.settings = {
            "RULES": str(folder / "rules.yaml"),
            "REDIS_URL": url,
            "CHANGES_STREAM": "changes",
            "GOLDEN_STREAM": "golden",
            "ARCHIVE_URL": f"{store_url}/archive",
            "QUARANTINE_URL": f"{store_url}/quarantine",
            "WAREHOUSE_DUCKDB_PATH": str(folder / "none.duckdb"),
            "WORKSPACE": f"{store_url}/work",
            "SETTLE_S": "0",
        }
        self.sent = 0

    def deliver(self, people: int, seed: int) -> None:
        """Resolve, archive and publish a population."""
        decoder, engine = Decoder({self.rules.domain: self.rules}), Engine(self.rules, self.index)
        rows, events = [], []
        for sent in generate(people, seed).events():
            self.sent += 1
            delivery = Delivery(sent.raw, f"{self.sent:064d}", 1_000_000 + self.sent, f"changes/{self.sent}")
            found = [event for event in decoder.decode(delivery) if event.domain == self.rules.domain]
            rows += rows_of(self.rules.domain, found, delivery) if found else []
            events += found
        assert engine.process(events).failed == []
        engine.drain()
        self.archive.append(self.rules.domain, rows, self.index.position())
        publish_outbox(self.index, self.feed)

    def damage(self) -> str:
        """Give a golden record an old value; return its id."""
        golden_id = min(self.index.scan_crosswalk().values())
        key = self.index._epoch.key("gold")
        content = orjson.loads(self.client.hget(key, golden_id))
        content["values"]["city"] = "Elsewhere"
        self.client.hset(key, golden_id, orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        return golden_id

    def arguments(self, **more: str) -> list[str]:
        """Return the arguments of the job, and further ones, as Glue passes them."""
        named = {**self.settings, **more}
        return [*GLUE_PASSES, *(text for name, value in named.items() for text in (f"--{name}", value))]

    def run(self, **more: str) -> None:
        """Run the job in this process, with further arguments."""
        main(self.arguments(**more), {})

    def kept(self, kind: str) -> list[bytes]:
        """Return the reports that were kept, newest first."""
        store = FolderObjects(self.folder / "archive")
        names = [each.name for each in store.list("reconcile-runs/") if each.name.endswith(kind)]
        return [store.get(name) for name in sorted(names)]
