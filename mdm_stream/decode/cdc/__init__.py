"""Change data capture: rows of databases and their log positions."""
