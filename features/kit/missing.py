"""The texts that mean "not known", the same at every door: CSV, Parquet, webhook and request.

Two lists, because a word may be a value where a number cannot: `NA` is North America in a column of regions and None a plan,
but neither is a revenue. A word that a scorer learnt is always that word, whatever the lists say.
"""

from __future__ import annotations

MISSING_WORDS = frozenset(
    ("", "null", "NULL", "Null", "NaN", "nan", "NaT", "<NA>", "n/a", "N/A", "#N/A", "#NULL!", r"\N")
)
"""Missing in any column, after spaces at both ends are removed."""
MISSING_NUMBERS = MISSING_WORDS | frozenset(
    (
        *("NA", "na", "None", "none", "NONE", "nil", "unknown", "Unknown", "UNKNOWN", "n.a.", "k.A."),
        *("-", "--", "–", "—", "?", "."),
    )
)
"""Missing in a column of numbers, flags or times as well."""


def is_missing(text: str, *, of_words: bool) -> bool:
    """Whether a text means "not known" in a column of words, or else of numbers, flags or times.

    >>> is_missing(" ", of_words=True), is_missing("NA", of_words=True), is_missing("NA", of_words=False)
    (True, False, True)
    """
    return text.strip() in (MISSING_WORDS if of_words else MISSING_NUMBERS)
