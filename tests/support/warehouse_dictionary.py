"""The page of the warehouse's columns, made from the schema and ``mdm_stream/warehouse/dictionary.py``.

``python tests/support/warehouse_dictionary.py`` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.dictionary import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "warehouse-columns.md"

COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() AND table_name NOT LIKE 'staged%'
ORDER BY table_name, ordinal_position
"""


def columns() -> list[tuple[str, str, str]]:
    """Every relation of a new warehouse with its columns and their types."""
    warehouse = DuckDbWarehouse(":memory:")
    found = [(str(relation), str(column), str(kind)) for relation, column, kind in warehouse.query(COLUMNS)]
    warehouse.close()
    return found


if __name__ == "__main__":
    PAGE.write_text(page(columns()), encoding="utf-8")
