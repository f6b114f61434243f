"""Who gets a score is kept per model, not per entity: models of one entity may ask other outcomes, or be for a part of it.

Nothing is filled in: what an older version stored holds for the models that ask the entity's usual outcome, and they read it there
until the next batch or change.
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
