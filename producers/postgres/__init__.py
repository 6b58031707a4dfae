"""Reads the changes of a PostgreSQL database from its log and puts them on a Kinesis stream.

Needs the extra ``postgres``.
"""

from producers.postgres.reader import PostgresReader
from producers.postgres.settings import ReaderSettings, ReaderStatus

__all__ = ["PostgresReader", "ReaderSettings", "ReaderStatus"]
