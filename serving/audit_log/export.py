"""The audit log as JSON lines or CSV, for auditors and other systems. The salts stay inside."""

from __future__ import annotations

import csv as csv_files
import json
from collections.abc import Iterable
from typing import Any, TextIO

from features.kit.clock import from_us, iso
from serving.audit_log.chain import Head, Row, read_json
from serving.csv_injection import harmless

COLUMNS = (
    "seq",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "object_kind",
    "object_id",
    "before",
    "after",
    "redacted",
    "hash",
)


def write(rows: Iterable[Row], to: TextIO, *, csv: bool = False) -> Head:
    """Write one line a row, and return the head. `before` and `after` are JSON, also in CSV."""
    table, head = csv_files.writer(to), Head()
    if csv:
        table.writerow(COLUMNS)
    for row in rows:
        shown = as_shown(row)
        if csv:
            table.writerow([_cell(shown[name]) for name in COLUMNS])
        else:
            to.write(json.dumps(shown) + "\n")
        head = Head(row["seq"], row["hash"])
    return head


def as_shown(row: Row) -> dict[str, Any]:
    """One row in the words of the export. `redacted` says what a retention run or an erasure took out."""
    actor, details = read_json(row["actor"]), read_json(row["details"])
    return {
        "seq": row["seq"],
        "at": iso(from_us(row["at"])),
        "actor_kind": row["actor_kind"],
        "actor_id": actor.get("id"),
        "actor_name": actor.get("name"),
        "action": row["action"],
        "object_kind": row["object_kind"],
        "object_id": details.get("object"),
        "before": details.get("before"),
        "after": details.get("after"),
        "redacted": [part for part in ("actor", "details") if row[part] is None],
        "hash": row["hash"],
    }


def _cell(value: Any) -> Any:
    if value is None or value == []:
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    return harmless(value) if isinstance(value, str) else value
