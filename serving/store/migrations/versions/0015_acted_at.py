"""When somebody last acted upon an entity, as its source says: of profiles, and a copy for lists.

Nothing is filled in: the next batch or change writes it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("profiles", "latest_scores"):
        op.add_column(table, sa.Column("acted_at", sa.BigInteger))
    acted = sa.text("acted_at IS NOT NULL")
    op.create_index("latest_acted", "latest_scores", ["model", "entity_id"], sqlite_where=acted, postgresql_where=acted)
