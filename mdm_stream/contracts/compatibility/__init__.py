"""What a change of a wire contract breaks: earlier and present documents compared by structure, not by text.

JSON Schemas are compared as sets of JSON values. What mdm-stream *consumes* may only grow: whatever a producer was
allowed to send must stay allowed. What it *produces* may only shrink: a subscriber must meet nothing that the earlier
document ruled out, and must still find each field. AsyncAPI and OpenAPI documents say of each part which of the two it
is. What cannot be shown to be safe (two different patterns, a keyword that is not compared) counts as breaking.
"""

from mdm_stream.contracts.compatibility.documents import compare_documents
from mdm_stream.contracts.compatibility.findings import ContractChange

__all__ = ["ContractChange", "compare_documents"]
