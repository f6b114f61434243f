"""The indexes of decision records leave out rows that no query looks up by them.

New inputs and reasons are stored in a shorter form; older records stay as they are and can still be read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, columns, condition in (
        ("decisions_of_entity", ["entity", "entity_id", "as_of", "id"], sa.text("entity_id IS NOT NULL")),
        ("decisions_of_run", ["run_id"], sa.text("run_id IS NOT NULL")),
    ):
        op.drop_index(name, "decisions")
        op.create_index(name, "decisions", columns, sqlite_where=condition, postgresql_where=condition)
