"""Indexes of lists have band and theme behind what they sort by, so that a list filtered by them reads no other rows."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INDEXES = {
    "latest_by_band": ["band", "probability", "entity_id", "first_theme"],
    "latest_by_change": ["change", "entity_id", "band", "first_theme"],
    "latest_by_at_stake": ["at_stake", "entity_id", "band", "first_theme"],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.drop_index(name, "latest_scores")
        op.create_index(name, "latest_scores", ["model", *columns])
