"""The warehouse consumer: the golden feed into DuckDB or Snowflake."""
