"""Finds accounts whose parent is no account of the source, or the account itself: lists cannot show such a group."""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.source import Source


def parent_lines(source: Source, name: str) -> Iterable[Line]:
    """One line for each kind of wrong parent. No signal reads them, so that none of the lines weakens a model."""
    if name != "accounts" or not source.has(name, "parent_id"):
        return
    held = "SELECT account_id FROM accounts"
    wrong = (
        (
            f"parent_id NOT IN ({held})",
            "a parent is an account of the source",
            "deliver these accounts too, or the same ids in parent_id and account_id",
        ),
        ("parent_id = account_id", "a parent is another account", "leave parent_id null where an account has none"),
    )
    for condition, rule, step in wrong:
        rows, example = source.query(f"SELECT count(*), min(parent_id) FROM accounts WHERE {condition}")[0]
        if rows:
            yield Line(
                severity="info",
                table=name,
                column="parent_id",
                rows=rows,
                rule=rule,
                found=f"not so in {rows:,} rows, such as parent_id {example!r}",
                needed="none",
                what_to_do=step,
            )
