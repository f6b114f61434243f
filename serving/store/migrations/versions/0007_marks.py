"""Objections and deletions are stored under hashes, as erasures are, and keep the time at which they were taken back.
So the home can keep a copy without ids, from which a new store recovers them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from features.sources.suppression import hash_of_id

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tombstones", sa.Column("taken_back_at", sa.BigInteger))
    here = op.get_bind()
    objections = here.execute(sa.text("SELECT entity, entity_id, since FROM objections")).all()
    op.drop_table("objections")
    new = op.create_table(
        "objections",
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("id_hash", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("taken_back_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("entity", "id_hash"),
    )
    rows = [
        {"entity": entity, "id_hash": hash_of_id(entity, name), "since": since} for entity, name, since in objections
    ]
    op.bulk_insert(new, rows)
    # By `into` alone: it is a word of SQL, and SQLAlchemy quotes it as the database wants it.
    old = sa.table("removals", *map(sa.column, ("source", "entity", "entity_id", "occurred_at", "state", "into")))
    removals = here.execute(sa.select(old).order_by(old.c.occurred_at)).all()
    op.drop_table("removals")
    new = op.create_table(
        "removals",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("id_hash", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("into", sa.Text),
        sa.PrimaryKeyConstraint("source", "entity", "id_hash"),
    )
    op.create_index("removals_of_entity", "removals", ["entity", "id_hash"])
    newest = {}
    for source, entity, name, occurred_at, state, into in removals:
        key = (Path(source).resolve().name, entity, hash_of_id(entity, name))
        newest[key] = {"occurred_at": occurred_at, "state": state, "into": into}
    op.bulk_insert(new, [{"source": s, "entity": e, "id_hash": mark, **row} for (s, e, mark), row in newest.items()])
