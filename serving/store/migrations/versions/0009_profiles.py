"""Profiles are stored beside the signals: names, owner, parent, segments, revenue and renewal of each entity.

Nothing is filled in: the next batch or change writes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("domain", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("parent_id", sa.Text),
        sa.Column("target_tier", sa.Text),
        sa.Column("segments", sa.LargeBinary, nullable=False),
        sa.Column("arr", sa.Float(53)),
        sa.Column("renewal_at", sa.BigInteger),
        sa.Column("plan", sa.Text),
        sa.PrimaryKeyConstraint("entity", "entity_id"),
    )
    named = sa.text("parent_id IS NOT NULL")
    op.create_index("profiles_of_parent", "profiles", ["parent_id"], sqlite_where=named, postgresql_where=named)
