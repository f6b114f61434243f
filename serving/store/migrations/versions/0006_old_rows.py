"""Decision records say what the rows that were known before an earlier score give at their own moment.

Records that are older have none: why their score moved is then told without a split into data and time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("decisions", sa.Column("old_rows", sa.LargeBinary))
