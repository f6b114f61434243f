"""Write-backs, the ledger of our own writes, and which decision ended the work on a letter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("scored_as_of", sa.BigInteger))
    op.add_column("inbox", sa.Column("into", sa.Text))
    op.add_column("inbox", sa.Column("effect", sa.Text, nullable=False, server_default="change"))
    op.execute("UPDATE inbox SET effect = 'create' WHERE kind LIKE '%.creation' OR kind LIKE '%.restore'")
    op.execute("UPDATE inbox SET effect = 'delete' WHERE kind LIKE '%.deletion'")
    op.execute("UPDATE inbox SET effect = 'forget' WHERE kind LIKE '%.privacyDeletion'")
    # What was put aside until deleting and merging are understood: now they are.
    op.execute("UPDATE inbox SET state = 'waiting', detail = NULL WHERE state = 'deferred' AND kind NOT LIKE '%.merge'")
    op.execute("UPDATE inbox SET state = 'failed' WHERE state = 'deferred'")
    op.create_table(
        "writebacks",
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("score", sa.Integer),
        sa.Column("band", sa.Text),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("queued_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("connection", "model", "entity_id"),
    )
    op.create_index("writebacks_by_due", "writebacks", ["connection", "state", "due_at"])
    op.create_table(
        "ledger",
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("property", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("connection", "object_type", "object_id", "property", "value"),
    )
    op.create_table(
        "removals",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("into", sa.Text),
        sa.PrimaryKeyConstraint("source", "entity", "entity_id"),
    )
    op.create_index("removals_of_entity", "removals", ["entity", "entity_id"])
