"""The word for the rows of each table of the store, for commands and answers."""

from __future__ import annotations

from collections.abc import Mapping

RECORDS = {
    "signals": "stored signals",
    "profiles": "profiles",
    "eligibilities": "eligibilities by model",
    "decisions": "decision records",
    "latest_scores": "scores on lists",
    "profile_terms": "search terms",
    "inbox": "events",
    "changes": "changes from CRMs",
    "dirty": "records that wait for a score",
    "api_keys": "API keys",
    "sessions": "sessions of people",
    "overrides": "overrides",
    "notes": "notes",
    "objections": "objections",
    "tombstones": "marks of erasure",
    "idempotency": "kept answers",
    "writebacks": "scores for CRMs",
    "ledger": "values written into CRMs",
    "removals": "deletions and merges",
    "audit_log": "rows of the audit log",
}
"""By table. `generations` has none: its rows are about nobody."""


def counted(rows: Mapping[str, int]) -> str:
    """Rows by table, in words. Tables with none are left out.

    >>> counted({"decisions": 1200, "signals": 1, "inbox": 0})
    '1,200 decision records, 1 stored signals'
    >>> counted({})
    'nothing'
    """
    return (
        ", ".join(f"{count:,} {RECORDS[name]}" for name, count in rows.items() if count and name in RECORDS)
        or "nothing"
    )
