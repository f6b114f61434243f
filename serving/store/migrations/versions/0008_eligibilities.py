"""Eligibility is stored per model instead of per entity: models of one entity may have other outcomes or populations.

Nothing is filled in: the eligibility stored by an older version holds for models with the entity's usual outcome, which
read it until the next batch or change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "eligibilities",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("entity", "entity_id", "model"),
    )
