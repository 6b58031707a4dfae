"""Which stages a batch goes through, in the real engine and the real warehouse consumer."""

from __future__ import annotations

from feed_messages import upsert
from small_world import small_rules
from span_notebook import Notebook

from mdm_stream.core.model import RecordEvent
from mdm_stream.decode import Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.settings import EngineSettings
from mdm_stream.telemetry.spans import BackendSpans
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer


def test_the_engine_has_a_span_a_wave_and_none_an_event() -> None:
    """However many events a batch has; scoring lies within reading."""
    rules, notebook = small_rules(50, 50), Notebook()
    spans = BackendSpans(notebook)
    engine = Engine(rules, MemoryIndex(rules), EngineSettings(events_per_plan_max=20), spans=spans)
    names = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01", "email": ("a@x.org",)}
    events = [RecordEvent("person", "crm", str(number), "upsert", 1, 0, names) for number in range(40)]
    with spans.batch("resolve", {}):
        assert not engine.process(events).failed
    waves = ["resolve/read", "resolve/read/score", "resolve/plan", "resolve/commit"]
    assert [name for name in notebook.opened if not name.endswith("score")][:4] == [
        "resolve",
        *(name for name in waves if not name.endswith("score")),
    ]
    assert set(notebook.opened) <= {"resolve", *waves}
    assert notebook.figures["commit_times"] <= 4


def test_the_warehouse_consumer_has_a_span_for_the_database() -> None:
    """Named after it; a message that cannot be read is a matter of decoding."""
    notebook, warehouse = Notebook(), DuckDbWarehouse(":memory:")
    spans = BackendSpans(notebook)
    consumer = WarehouseConsumer(warehouse, idle_close_s=0, spans=spans)
    raws = [raw_of("g1", 1), b"{", raw_of("g2", 2)]
    with spans.batch("warehouse", {}):
        outcome = consumer.apply_records([Delivery(raw, str(n), n, f"golden:{n}") for n, raw in enumerate(raws)])
    assert (outcome.records_applied, outcome.first_failed) == (2, 1)
    assert notebook.opened == ["warehouse", "warehouse/decode", "warehouse/duckdb"]
    warehouse.close()


def raw_of(golden_id: str, sequence: int) -> bytes:
    """Return a change of a golden record as it comes from the stream."""
    return upsert(sequence, golden_id, ["crm/1"]).model_dump_json().encode()
