"""Indexes for the state of a connection: its newest event, its newest write, and what was set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("inbox_of_connection", "inbox", ["connection", "id"])
    sent = sa.text("sent_at IS NOT NULL")
    op.create_index(
        "writebacks_by_sent", "writebacks", ["connection", "sent_at"], sqlite_where=sent, postgresql_where=sent
    )
    aside = sa.text("error IS NOT NULL")
    op.create_index("dirty_set_aside", "dirty", ["source"], sqlite_where=aside, postgresql_where=aside)
