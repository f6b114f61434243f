"""Checks columns with a vocabulary: words read by another spelling, and words that are unknown."""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.source import Source
from features.sources.vocabularies import understood, words_of

SHOWN = 6


def word_lines(source: Source, table: str) -> Iterable[Line]:
    """Per column with a vocabulary: spellings that were read as a word (info), and words that are none (weakens)."""
    for column in source.columns[table]:
        words = words_of(table, column)
        if not words:
            continue
        given = source.query(
            f"SELECT CAST({quote(column)} AS VARCHAR) AS word, count(*) FROM {quote('raw_' + table)} WHERE {quote(column)} IS NOT NULL "
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        others = [(word, understood(table, column, word), rows) for word, rows in given if word not in words]
        spelled = [each for each in others if each[1] in words]
        strange = [each for each in others if each[1] not in words]
        accepted = "one of " + ", ".join(words)
        if spelled:
            shown = _listed([f"{word!r} as {meant} ({rows:,})" for word, meant, rows in spelled])
            yield Line(
                severity="info",
                table=table,
                column=column,
                rows=sum(rows for _, _, rows in spelled),
                rule="another spelling of a word is read as that word",
                found=shown,
                needed=accepted,
                what_to_do="nothing, unless one means something else: then translate it with CASE in the SELECT",
            )
        if strange:
            shown = _listed([f"{word!r} ({rows:,})" for word, _, rows in strange])
            cases = " ".join(f"WHEN {_sql(word)} THEN '...'" for word, _, _ in strange[:2])
            more = " ..." if len(strange) > 2 else ""
            yield Line(
                severity="weakens",
                table=table,
                column=column,
                rows=sum(rows for _, _, rows in strange),
                rule="its words are those of the canonical table; no signal counts another word",
                found=shown,
                needed=accepted,
                what_to_do=f"translate them: SELECT * REPLACE (CASE {column} {cases}{more} ELSE {column} END AS {column}) FROM (THIS SELECT)",
            )


def _listed(items: list[str]) -> str:
    more = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _sql(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
