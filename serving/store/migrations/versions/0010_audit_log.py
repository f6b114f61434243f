"""The audit log: who did what, on what, when, hash-chained. It begins empty: what was done before is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_kind", sa.Text, nullable=False),
        sa.Column("event", sa.Text),
        sa.Column("actor", sa.LargeBinary),
        sa.Column("actor_sha256", sa.Text, nullable=False),
        sa.Column("details", sa.LargeBinary),
        sa.Column("details_sha256", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("event", name="audit_log_once"),
    )
    there = sa.text("subject IS NOT NULL")
    op.create_index("audit_log_of_subject", "audit_log", ["subject"], sqlite_where=there, postgresql_where=there)
    op.create_index("audit_log_by_action", "audit_log", ["action", "seq"])
