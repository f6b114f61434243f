"""Priorities of write-backs and of entities to score, and entities that are set aside because scoring fails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("writebacks", "dirty"):
        op.add_column(table, sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("dirty", sa.Column("run_id", sa.Text))
    op.add_column("dirty", sa.Column("error", sa.Text))
    op.create_index("writebacks_by_priority", "writebacks", ["connection", "state", "priority", "due_at"])
    op.create_index("dirty_by_priority", "dirty", ["source", "priority", "due_at"])
