"""What Spark's own event log says of a run: seconds of its tasks, and the bytes that they sent to the driver."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Tasks:
    """The tasks of one stage of a job of Spark's: seconds of each, and bytes that each sent to the driver."""

    seconds: list[float] = field(default_factory=list)
    result_bytes: list[int] = field(default_factory=list)

    @property
    def longest_to_median(self) -> float:
        """How many times as long as the one in the middle the longest task took."""
        return max(self.seconds) / max(0.001, statistics.median(self.seconds))


@dataclass(slots=True)
class EventLog:
    """Spark's stages by their number, and of which table of the workspace each is (its jobs' description)."""

    stages: dict[int, Tasks] = field(default_factory=dict)
    tables: dict[int, str] = field(default_factory=dict)

    @property
    def tasks(self) -> int:
        """All tasks."""
        return sum(len(stage.seconds) for stage in self.stages.values())

    def heaviest(self, table: str) -> Tasks:
        """Return the stage of a table whose tasks took longest altogether."""
        own = [stage for number, stage in self.stages.items() if self.tables.get(number) == table]
        return max(own, key=lambda stage: sum(stage.seconds))

    @property
    def result_bytes(self) -> int:
        """What all tasks sent to the driver: results, which are rows if it asked for rows, and Spark's own counters."""
        return sum(sum(stage.result_bytes) for stage in self.stages.values())

    @property
    def result_bytes_of_a_stage_max(self) -> int:
        """What the tasks of one stage sent, of the one that sent most: what the driver held at once."""
        return max(sum(stage.result_bytes) for stage in self.stages.values())


def spark_defaults(folder: Path) -> Path:
    """Write a configuration by which Spark logs its events below a folder; return what ``SPARK_CONF_DIR`` must be."""
    (folder / "events").mkdir(parents=True)
    settings = f"spark.eventLog.enabled true\nspark.eventLog.dir {(folder / 'events').as_uri()}\n"
    (folder / "spark-defaults.conf").write_text(settings)
    return folder


def read_events(folder: Path) -> EventLog:
    """Read the log that a run has left where ``spark_defaults`` said."""
    log = EventLog()
    for event in _events(folder / "events"):
        if event["Event"] == "SparkListenerTaskEnd" and (metrics := event.get("Task Metrics")):
            info = event["Task Info"]
            stage = log.stages.setdefault(event["Stage ID"], Tasks())
            stage.seconds.append((info["Finish Time"] - info["Launch Time"]) / 1000)
            stage.result_bytes.append(metrics["Result Size"])
        elif event["Event"] == "SparkListenerJobStart":
            table = event["Properties"].get("spark.job.description", "")
            log.tables |= dict.fromkeys(event["Stage IDs"], table)
    return log


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.iterdir()):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
