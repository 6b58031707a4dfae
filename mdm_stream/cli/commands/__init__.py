"""The commands of ``mdm-stream``, one module each."""
