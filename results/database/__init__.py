"""A results database from its URL: SQLite or Postgres, locks, retries, migrations."""
