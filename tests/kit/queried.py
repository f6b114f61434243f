"""A company whose tables `features query` shows."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from features.__main__ import app

SUBSCRIPTIONS = """SELECT unnest(['s1', 's2', 's3']) AS subscription_id, unnest(['a1', 'a2', 'a1']) AS account_id,
  unnest([DATE '2025-01-01', DATE '2025-02-01', DATE '2025-03-01']) AS event_time, unnest(['active', 'active', 'ended']) AS status,
  unnest([49.5, 100, 0]) AS mrr, unnest([true, NULL, false]) AS auto_renew, unnest(['übel, "quoted"', NULL, chr(27) || '[2J']) AS "Remark Ä" """


def make_queried(folder: Path) -> Path:
    """Two accounts, three versions of subscriptions, and tickets that cannot be read."""
    (folder / "accounts.sql").write_text(
        "SELECT unnest(['a1', 'a2']) AS account_id, TIMESTAMPTZ '2024-12-01 10:00:00+02' AS event_time, "
        "DATE '2024-05-01' AS \"First Call\", unnest([1, 2]) AS score_of_ours"
    )
    (folder / "subscriptions.sql").write_text(SUBSCRIPTIONS)
    (folder / "tickets.sql").write_text("SELECT *\nFROM nowhere")
    return folder


def query(folder: Path, table: str, *options: str, columns: int = 80) -> Result:
    return CliRunner().invoke(app, ["query", str(folder), table, *options], env={"COLUMNS": str(columns)})
