"""Lineage out: what each batch of the warehouse consumer read and wrote, as OpenLineage events."""

from mdm_stream.warehouse.lineage.batch import BatchLineage, LineageCounts
from mdm_stream.warehouse.lineage.settings import LineageSettings, lineage_of

__all__ = ["BatchLineage", "LineageCounts", "LineageSettings", "lineage_of"]
