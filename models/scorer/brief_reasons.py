"""Shortens the sentence of a reason for a list, where the whole one is a click away.

Only what the product itself wrote around the value goes: the comparison with others, examples in brackets, and how a number is
counted. What is said of the entity stays as it is.
"""

from __future__ import annotations

import re

from models.scorer.artefact_schema import Words
from models.scorer.comparisons import without_comparison

_ASIDE = re.compile(r" \([^(){}]*\)|;[^{};]*(?=\.$)")


def brief(text: str, words: Words | None, crowd: str) -> str:
    """`words`: those of the reason's signal, None when it is not known; `crowd`: what the model's entities are called.

    >>> words = Words(some="There were {value} uses of our content (downloads, webinars) in the last 7 days.")
    >>> brief("There were 3 uses of our content (downloads, webinars) in the last 7 days; of leads with 3 to 5 uses of our "
    ...       "content (downloads, webinars) in the last 7 days, 9 % became customers (6.4 % overall).", words, "leads")
    'There were 3 uses of our content in the last 7 days.'
    """
    found = without_comparison(text, crowd)
    for template in () if words is None else (words.some, words.zero, words.missing, words.negative, words.pair):
        for aside in _ASIDE.findall(template or ""):
            found = found.replace(aside, "", 1)
    return found
