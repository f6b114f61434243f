"""Lists read the newest score of each entity from a table of their own, and find rare words and segments in another.

Nothing is filled in: the next batch or change writes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEXES = {
    "latest_by_band": ["band", "probability"],
    "latest_by_change": ["change"],
    "latest_by_value": ["value"],
    "latest_by_at_stake": ["at_stake"],
    "latest_by_theme": ["first_theme"],
    "latest_by_no_score": ["no_score"],
    "latest_by_renewal": ["renewal_at"],
    "latest_by_owner": ["owner"],
    "latest_by_name": ["name_key"],
}


def upgrade() -> None:
    by_code_point = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "latest_scores",
        sa.Column("model", by_code_point, nullable=False),
        sa.Column("entity_id", by_code_point, nullable=False),
        sa.Column("band", by_code_point),
        sa.Column("probability", sa.Float(53)),
        sa.Column("score", sa.Integer),
        sa.Column("change", sa.Integer),
        sa.Column("value", sa.Float(53)),
        sa.Column("at_stake", sa.Float(53)),
        sa.Column("no_score", by_code_point),
        sa.Column("first_theme", by_code_point),
        sa.Column("renewal_at", sa.BigInteger),
        sa.Column("owner", by_code_point),
        sa.Column("name_key", by_code_point),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("run_as_of", sa.BigInteger),
        sa.Column("run_score", sa.Integer),
        sa.Column("first_signal", sa.Text),
        sa.Column("first_text", sa.Text),
        sa.PrimaryKeyConstraint("model", "entity_id"),
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "latest_scores", ["model", *columns, "entity_id"])
    op.create_table(
        "profile_terms",
        sa.Column("entity", by_code_point, nullable=False),
        sa.Column("term", by_code_point, nullable=False),
        sa.Column("entity_id", by_code_point, nullable=False),
        sa.PrimaryKeyConstraint("entity", "term", "entity_id"),
        sqlite_with_rowid=False,
    )
