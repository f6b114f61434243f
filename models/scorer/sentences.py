"""One signal's value as a sentence that a salesperson can read out, without the comparison with others."""

from __future__ import annotations

import math
import re

from models.scorer.amounts import amount, rise
from models.scorer.artefact_schema import SignalSpec

Value = float | int | bool | str | None

_IDENTIFIER = re.compile(r"\S@\S|\d{7}|[0-9a-fA-F]{16}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")
"""Mail addresses, long numbers, hashes, UUIDs."""
_INITIALS = frozenset({"it", "hr", "pr", "qa", "vp", "ceo", "cfo", "cio", "cmo", "coo", "cto", "eu", "uk", "us", "usa"})
_ODD = {"people": "person"}
_PLURAL = re.compile(
    r"(?<![\d.,])1 (?!was\b|has\b|is\b|as\b|its\b)(people|\w+[^\Wsu]s)\b(?! and|,)(?: or (\w+[^\Wsu]s)\b)?"
)
_SINGLE = {"were": "was", "are": "is", "have": "has"}
_VERB = re.compile(r"^(1 [\w ]+?) (were|are|have)\b")
ONE = ("1", "-1")
"""Amounts after which the sentence may need the singular (`one_of`)."""


def sentence_of(signal: SignalSpec, value: Value) -> str:
    """The sentence about a value; NaN is missing. A word outside the vocabulary, or one that may be an identifier, is not repeated."""
    words = signal.words
    if is_missing(value):
        return words.missing or f"{capital(signal.label)}: not known."
    if isinstance(value, str):
        if value not in (signal.vocabulary or ()):
            # It may be anything, a name or an identifier among others, and is not for reading out.
            return f"{capital(signal.label)}: a value that was not seen before."
        if _IDENTIFIER.search(value):
            return f"{capital(signal.label)}: one of the values seen before."
        return capital(words.some.replace("{value}", shown(value)))
    number = float(value)  # type: ignore[arg-type]  # not missing, not a text
    if number == 0 and words.zero:
        return words.zero
    if words.one and amount(number, signal.unit) == "1":
        return words.one
    template = words.negative if number < 0 and words.negative else words.some
    return capital(one_of(filled(template, number, signal.unit)))


def filled(template: str, number: float, unit: str) -> str:
    """The template with the number in it."""
    if "{rise}" in template:
        if number >= 1:
            return template.replace("by {rise}", "from nothing")
        return template.replace("{rise}", amount(rise(number), unit))
    return template.replace("{value}", amount(number, unit)).replace("{size}", amount(abs(number), unit))


def shown(word: str) -> str:
    """A word of a category as people write it.

    >>> shown("cold_outreach"), shown("it"), shown("vp")
    ('cold outreach', 'IT', 'VP')
    """
    return word.upper() if word in _INITIALS else word.replace("_", " ")


def is_named(value: str) -> bool:
    """Whether a word may be an identifier: a mail address, a long number, a hash, a UUID."""
    return _IDENTIFIER.search(value) is not None


def one_of(sentence: str) -> str:
    """The singular after a lone 1.

    >>> one_of("There were 1 visits to our site."), one_of("1 people were in contact."), one_of("1.1 days, 21 days, 1 day")
    ('There was 1 visit to our site.', '1 person was in contact.', '1.1 days, 21 days, 1 day')
    >>> one_of("There were 1 calls or meetings.")
    'There was 1 call or meeting.'
    >>> one_of("1 tickets of the last 28 days were escalated."), one_of("A volume of 1 was processed.")
    ('1 ticket of the last 28 days was escalated.', 'A volume of 1 was processed.')
    """
    if "1 " not in sentence:
        return sentence
    single = _PLURAL.sub(_single, sentence)
    if single == sentence:
        return sentence
    one = _VERB.sub(lambda found: f"{found[1]} {_SINGLE[found[2]]}", single)
    return re.sub(r"^There were (?=1 )", "There was ", one)


def _single(found: re.Match[str]) -> str:
    second = f" or {found[2][:-1]}" if found[2] else ""
    return f"1 {_ODD.get(found[1], found[1][:-1])}{second}"


def clause(sentence: str) -> str:
    """A sentence as what follows "where": without its stop, and in lower case unless it begins with a name.

    >>> clause("The product was not used."), clause("ARR is 3.")
    ('the product was not used', 'ARR is 3')
    """
    small = sentence[1:2].islower() or sentence[1:2] == " "
    return (sentence[:1].lower() + sentence[1:] if small else sentence).removesuffix(".")


def is_missing(value: Value) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def capital(text: str) -> str:
    """The text with a large first letter."""
    return text[:1].upper() + text[1:]
