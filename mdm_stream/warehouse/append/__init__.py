"""The warehouse that only inserts: one row a feed message, and every table that people read folded from these rows."""

from mdm_stream.warehouse.append.layout import AppendLayout, Writer, choose_layout
from mdm_stream.warehouse.append.schema import VIEWS, FoldSettings

__all__ = ["VIEWS", "AppendLayout", "FoldSettings", "Writer", "choose_layout"]
