"""Signals, decision records, inbox, changes and the dirty set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "signals",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("eligibility", sa.Text, nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("signals", sa.LargeBinary, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("entity", "entity_id"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", COUNTED, primary_key=True, autoincrement=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("version", sa.Integer),
        sa.Column("scorer", sa.Text, nullable=False),
        sa.Column("probability", sa.Float(53)),
        sa.Column("score", sa.Integer),
        sa.Column("band", sa.Text),
        sa.Column("no_score", sa.Text),
        sa.Column("value", sa.Float(53)),
        sa.Column("reasons", sa.LargeBinary, nullable=False),
        sa.Column("inputs", sa.LargeBinary, nullable=False),
        sa.Column("inputs_sha256", sa.Text, nullable=False),
    )
    op.create_index("decisions_of_entity", "decisions", ["entity", "entity_id", "as_of", "id"])
    op.create_index("decisions_of_run", "decisions", ["run_id"])
    op.create_table(
        "inbox",
        sa.Column("id", COUNTED, primary_key=True, autoincrement=True),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("dedupe_key", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("property", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("entity", sa.Text),
        sa.Column("entity_id", sa.Text),
        sa.UniqueConstraint("connection", "dedupe_key", name="inbox_once"),
    )
    op.create_index("inbox_by_state", "inbox", ["state", "id"])
    op.create_index("inbox_of_entity", "inbox", ["entity", "entity_id", "state"])
    op.create_table(
        "changes",
        sa.Column("id", COUNTED, primary_key=True, autoincrement=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("event_time", sa.BigInteger, nullable=False),
        sa.Column("known_time", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("lead_id", sa.Text),
        sa.Column("inbox_id", sa.BigInteger),
    )
    op.create_index("changes_of_account", "changes", ["source", "account_id"])
    op.create_index("changes_of_lead", "changes", ["source", "lead_id"])
    op.create_table(
        "dirty",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", "entity", "entity_id"),
    )
    op.create_index("dirty_by_due", "dirty", ["due_at"])
