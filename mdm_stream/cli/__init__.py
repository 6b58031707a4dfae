"""The command line, ``mdm-stream``: one module a command, listed in :mod:`mdm_stream.cli.registry`."""
