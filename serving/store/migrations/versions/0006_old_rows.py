"""Decision records have `old_rows`: the signals that the rows known before an earlier score give at the record's
moment.

Older records have none; their changes are not split into data and time.
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
