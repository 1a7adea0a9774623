"""The baseline: the tables and views of `results.schema`, which a new database is made with.

No step leads to it. The next revision starts from here.
"""

revision = "0004"
down_revision = None


def upgrade() -> None:
    """No step leads to the baseline: always raises NotImplementedError."""
    raise NotImplementedError("an empty database is made by results.schema.revisions.create")
