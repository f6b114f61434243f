"""Checks columns with a vocabulary: words read by another spelling, and words that are unknown.

Words of a channel or of a kind of cost are what reports group by. An unknown one is shown as it is, so it weakens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.source import Source
from features.sources.vocabularies import KEPT_AS_WRITTEN, understood, word_in, words_of

SHOWN = 6
GROUPED_BY = (("orders", "channel"), ("costs", "kind"))
"""Columns by whose words reports group, and that nothing counts."""


def word_lines(source: Source, table: str) -> Iterable[Line]:
    """Per column with a vocabulary: spellings that were read as a word (info), and words that are none (weakens)."""
    for column in source.columns[table]:
        yield from _kept_as_written(source, table, column)
        words = words_of(table, column)
        if not words:
            continue
        given = _given(source, table, column)
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
            grouped = (table, column) in GROUPED_BY
            yield Line(
                severity="info" if grouped else "weakens",
                table=table,
                column=column,
                rows=sum(rows for _, _, rows in strange),
                rule="its words are those of the field; reports show another word as it is"
                if grouped
                else "its words are those of the canonical table; no signal counts another word",
                found=shown,
                needed=accepted,
                what_to_do=f"translate them: SELECT * REPLACE (CASE {column} {cases}{more} ELSE {column} END AS {column}) FROM (THIS SELECT)",
            )


def _given(source: Source, table: str, column: str) -> list[tuple[str, int]]:
    """The words as the source delivers them, with their number of rows, the most frequent first."""
    return source.query(
        f"SELECT CAST({quote(column)} AS VARCHAR) AS word, count(*) FROM {quote('raw_' + table)} WHERE {quote(column)} IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    )


def _kept_as_written(source: Source, table: str, column: str) -> Iterable[Line]:
    """One line with the words of a column that stays as it is written and that are no spelling of the field's."""
    words = KEPT_AS_WRITTEN.get((table, column), {})
    strange = (
        [(word, rows) for word, rows in _given(source, table, column) if not word_in(words, word)] if words else []
    )
    if strange:
        yield Line(
            severity="info",
            table=table,
            column=column,
            rows=sum(rows for _, rows in strange),
            rule="a channel is one of the field's words; another is a category of its own",
            found=_listed([f"{word!r} ({rows:,})" for word, rows in strange]),
            needed="one of " + ", ".join(words),
            what_to_do="nothing, unless one means a word of these: then translate it with CASE in the SELECT, and train again",
        )


def _listed(items: list[str]) -> str:
    more = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _sql(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
