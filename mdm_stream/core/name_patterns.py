"""What names look like: one pattern each, for ``re.fullmatch``; wire models and rules anchor them themselves."""

from __future__ import annotations

DOMAIN_PATTERN = r"[a-z][a-z0-9_]{0,62}"
"""A name that is legal in a Redis hash tag, an S3 key and an SQL identifier alike."""
SOURCE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""No slash: a record's reference is ``source/record_id``, split at the first one."""
ATTRIBUTE_PATTERN = r"[a-z][a-z0-9_]{0,62}"
TABLE_PATTERN = r"[^.\s]{1,128}(\.[^.\s]{1,128})?"
"""``table`` or ``schema.table``."""
KEY_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""The name of a signing key: legal as a file's name, and in the name of a secret."""
GTID_SOURCE_PATTERN = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9]{1,10}-[0-9]{1,10}"
"""What a GTID begins with: the server's UUID in MySQL, domain and server in MariaDB."""
LOG_NUMBER_MAX = 2**32 - 1
"""The greatest number of a MySQL server, and of a PostgreSQL timeline."""
