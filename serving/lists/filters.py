"""Reads the filters and the sort of a list from query parameters.

Every fault is told at once. A page with a form leaves out what nobody filled in before it calls `read`.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode

from features.signals.signal import THEMES
from models.definition import Model
from serving.eligibility import DETAILS, ERASED, OPTED_OUT
from serving.errors import Invalid
from serving.store.search_terms import words

SORTS: Mapping[str, str] = {
    "entity_id": "asc",
    "name": "asc",
    "owner": "asc",
    "score": "desc",
    "probability": "desc",
    "band": "desc",
    "change": "desc",
    "value": "desc",
    "value_at_risk": "desc",
    "renewal_at": "asc",
    "theme": "asc",
    "no_score": "asc",
}
"""Columns that a list can be sorted by, with their usual order. Score and band sort by the probability, of which they are
the percentile and a range."""
NO_SCORES = sorted(set(DETAILS) - {ERASED, OPTED_OUT})
"""Codes by which a list is filtered. Who was erased or objected is on no list."""
SEGMENT = "segment."
LARGEST_LIMIT = 200
USUAL_LIMIT = 50
LONGEST_TEXT = 200
MOST_DAYS = 36_500
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
LARGEST_VALUE = 1e15
"""Of an amount, currency units; the smallest is its negative."""


@dataclass(frozen=True)
class ListQuery:
    """What a list shows and in which order. None and empty: not asked for."""

    model: str
    entity: str
    bands: tuple[str, ...] = ()
    """Any of these."""
    owner: str | None = None
    segments: tuple[tuple[str, str], ...] = ()
    """Segment column and its value; all of them."""
    theme: str | None = None
    """Of the first reason."""
    changed_by: int | None = None
    """Least difference of the score to that of the nightly run before, up or down, in points (1 to 99)."""
    value_min: float | None = None
    renewal_within_days: int | None = None
    renewal_from: str | None = None
    """First day of the renewal, YYYY-MM-DD, UTC."""
    renewal_before: str | None = None
    """Day before which the renewal is."""
    renewal_known: bool | None = None
    text: str | None = None
    no_score: str | None = None
    acted: bool | None = None
    """Whether anybody told of an action."""
    overridden: bool | None = None
    """Whether a person's judgement stands beside the score."""
    sort: str = "value_at_risk"
    descending: bool = True

    def text_words(self) -> list[str]:
        """The words that are searched, without case."""
        return words(self.text)

    def canonical(self) -> str:
        """The query string of this list, the same for the same list."""
        pairs = [("model", self.model), *(("band", band) for band in self.bands)]
        pairs += [(SEGMENT + column, value) for column, value in self.segments]
        plain = {
            "owner": self.owner,
            "theme": self.theme,
            "changed_by": self.changed_by,
            "value_min": None if self.value_min is None else repr(self.value_min),
            "renewal_within_days": self.renewal_within_days,
            "renewal_from": self.renewal_from,
            "renewal_before": self.renewal_before,
            "renewal_known": _said(self.renewal_known),
            "q": self.text,
            "no_score": self.no_score,
            "acted": _said(self.acted),
            "overridden": _said(self.overridden),
        }
        pairs += [(name, str(value)) for name, value in plain.items() if value is not None]
        return urlencode([*pairs, ("sort", self.sort), ("order", "desc" if self.descending else "asc")])


def _said(answer: bool | None) -> str | None:
    return None if answer is None else "yes" if answer else "no"


@dataclass
class Asked:
    """A list, and which part of it in which form."""

    query: ListQuery
    given: bool
    """Whether any filter or sort was given; a cursor alone brings those of its list."""
    limit: int = USUAL_LIMIT
    cursor: str | None = None
    csv: bool = False


def usual_sort(model: Model) -> str:
    """What people look at first: the value at risk of accounts, the probability of leads."""
    return "value_at_risk" if model.entity == "account" else "probability"


@dataclass
class _Faults:
    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, where: str, found: str, rule: str, next_step: str) -> None:
        self.found.append({"where": where, "found": found, "rule": rule, "next_step": next_step})


def read(model: Model, params: Iterable[tuple[str, str]], segment_columns: Sequence[str] = ()) -> Asked:
    """The list that query parameters ask for. Raises `Invalid` with every fault.

    `segment_columns`: those that profiles of the model's entities have.
    """
    faults = _Faults()
    given: dict[str, list[str]] = {}
    for name, value in params:
        given.setdefault(name, []).append(value)
    known = [*_READERS, *(SEGMENT + column for column in segment_columns)]
    others = ("sort", "order", "limit", "cursor", "format")
    for name, found in given.items():
        if name not in known and name not in others:
            shown = name if name.isprintable() and len(name) <= 60 else "a parameter"
            rule = f"a filter is one of {', '.join(known)}; besides there are {', '.join(others)}"
            faults.add(shown, "no such filter", rule, "use one of these names, or leave it out")
        elif name != "band" and len(found) > 1:
            faults.add(name, "given more than once", "once, but for band", "leave out all but one")
    values: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in given and name in known:
            value = reader(name, given[name] if name == "band" else given[name][0], model, faults)
            values[_FIELDS.get(name, name)] = value
    values["segments"] = tuple(
        (name[len(SEGMENT) :], _text(name, given[name][0], model, faults) or "")
        for name in sorted(given)
        if name.startswith(SEGMENT) and name in known
    )
    asked = Asked(ListQuery(model.name, model.entity), any(n not in ("limit", "cursor", "format") for n in given))
    sort = given.get("sort", [usual_sort(model)])[0]
    if sort not in SORTS:
        faults.add("sort", "no such column", f"one of {', '.join(SORTS)}", "sort by one of them")
        sort = usual_sort(model)
    order = given.get("order", [SORTS[sort]])[0]
    if order not in ("asc", "desc"):
        faults.add("order", "neither", "asc or desc", "write one of them")
    form = given.get("format", ["json"])[0]
    if form not in ("json", "csv"):
        faults.add("format", "neither", "json or csv", "write one of them")
    limit = _whole("limit", given.get("limit", [str(USUAL_LIMIT)])[0], 1, LARGEST_LIMIT, faults)
    if faults.found:
        raise refused(faults.found)
    asked.query = ListQuery(model.name, model.entity, sort=sort, descending=order == "desc", **values)
    asked.limit, asked.csv = limit or USUAL_LIMIT, form == "csv"
    asked.cursor = given["cursor"][0] if "cursor" in given else None
    return asked


def refused(faults: Sequence[Mapping[str, str]]) -> Invalid:
    """An `Invalid` with all faults of a list's parameters."""
    said = "; ".join(f"{f['where']}: {f['found']}. Rule: {f['rule']}. Next: {f['next_step']}" for f in faults)
    return Invalid("bad_list", f"{said}.", {"faults": list(faults)})


def _one_of(name: str, value: str, choices: Sequence[str], faults: _Faults) -> str | None:
    if value in choices:
        return value
    faults.add(name, "no such value", f"one of {', '.join(choices)}", "write one of them, or leave it out")
    return None


def _whole(name: str, value: str, least: int, most: int, faults: _Faults) -> int | None:
    if value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most:
        return int(value)
    faults.add(name, "no such number", f"a whole number from {least} to {most:,}", "write one, or leave it out")
    return None


def _bands(name: str, values: list[str], model: Model, faults: _Faults) -> tuple[str, ...]:
    choices = [band for band, _ in model.bands]
    found = [_one_of(name, value, choices, faults) for value in values]
    return tuple(sorted({band for band in found if band is not None}))


def _text(name: str, value: str, _model: Model, faults: _Faults) -> str | None:
    if not 1 <= len(value) <= LONGEST_TEXT or "\x00" in value:
        faults.add(name, "no such text", f"1 to {LONGEST_TEXT} characters, without NUL", "write it so, or leave it out")
        return None
    return value


def _amount(name: str, value: str, _model: Model, faults: _Faults) -> float | None:
    try:
        found = float(value) if value.isascii() and "_" not in value else math.nan
    except ValueError:
        found = math.nan
    if abs(found) <= LARGEST_VALUE:
        return found + 0.0  # -0.0 and 0 are one list
    rule = f"a number in currency units, {LARGEST_VALUE:.0e} at most, with a dot before decimals"
    faults.add(name, "no such amount", rule, "write 48000, or leave it out")
    return None


def _date(name: str, value: str, _model: Model, faults: _Faults) -> str | None:
    with contextlib.suppress(ValueError):
        if _DATE.fullmatch(value) and date.fromisoformat(value):
            return value
    faults.add(name, "no such day", "a day as YYYY-MM-DD", "write 2026-03-01, or leave it out")
    return None


def _yes_or_no(name: str, value: str, _model: Model, faults: _Faults) -> bool | None:
    return {"yes": True, "no": False}.get(_one_of(name, value, ["yes", "no"], faults) or "")


_READERS: Mapping[str, Any] = {
    "band": _bands,
    "owner": _text,
    "theme": lambda name, value, _model, faults: _one_of(name, value, list(THEMES), faults),
    "changed_by": lambda name, value, _model, faults: _whole(name, value, 1, 99, faults),
    "value_min": _amount,
    "renewal_within_days": lambda name, value, _model, faults: _whole(name, value, 0, MOST_DAYS, faults),
    "q": _text,
    "no_score": lambda name, value, _model, faults: _one_of(name, value, NO_SCORES, faults),
    "renewal_from": _date,
    "renewal_before": _date,
    "renewal_known": _yes_or_no,
    "acted": _yes_or_no,
    "overridden": _yes_or_no,
}
_FIELDS = {"band": "bands", "q": "text"}
