"""The forms of the page of an account or a lead: reads what was typed, and says every fault at once.

A form carries `once`, a text of its own. Of notes it becomes the key together with what was typed, so that a form that is sent
twice is one note, and another one that is sent from the same page is a second.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from features.kit.clock import from_us, iso, to_us
from models.definition import Model
from serving.errors import Declined
from serving.notes.repository import Note
from serving.notes.request import Asked, read_one
from serving.overrides.schemas import OverrideRequest
from serving.store.text import is_kept

SOURCE = "page"
"""What notes of the page say told them. Who it was is in the audit log."""
USUAL_ACTIONS = ("call", "mail", "meeting", "offer", "visit", "campaign")
LONGEST_REASON, SHORTEST_REASON = 1000, 3
_MINUTE_US = 60_000_000
_NAMES = {"action": "What you did", "outcome": "How it turned out", "when": "When", "note": "Note"}
Form = Mapping[str, str]


@dataclass
class BadForm(Exception):
    """Raised with every fault of a form."""

    faults: Sequence[Mapping[str, str]]


def new_once() -> str:
    """The text of a form by which a repetition is known."""
    return secrets.token_urlsafe(12)


def override_of(form: Form, model: Model, now_us: int, zone: str) -> OverrideRequest:
    """The override that was typed. Raises `BadForm`."""
    faults: list[Mapping[str, str]] = []
    bands = [name for name, _ in model.bands]
    band, reason, until = form.get("band", ""), form.get("reason", "").strip(), form.get("until", "").strip()
    if band not in bands:
        faults.append(_fault("Band", "none is chosen", f"One of {', '.join(bands)}", "Choose one"))
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        rule = f"{SHORTEST_REASON} to {LONGEST_REASON:,} characters"
        faults.append(_fault("Reason", f"{len(reason):,} characters", rule, "Say why, for colleagues"))
    elif not is_kept(reason):
        faults.append(_fault("Reason", "a character that no store keeps", "Text without NUL", "Remove it"))
    moment = None
    if until:
        day = _day(until)
        moment = None if day is None else _start_of(day, zone)
        if moment is None:
            faults.append(_fault("Until", "something else", "A date", "Write it as in 2026-12-31, or leave it out"))
        elif moment <= now_us:
            faults.append(_fault("Until", "a day that has begun", "A day to come", "Choose one, or leave it out"))
    if faults:
        raise BadForm(faults)
    return OverrideRequest(model.name, band, reason, None, None if moment is None else iso(from_us(moment)))


def note_of(form: Form, kind: str, entity: str, entity_id: str, now_us: int, zone: str) -> tuple[Asked, Note]:
    """The action or the outcome that was typed. Raises `BadForm`.

    What happened today is told with the minute of the clock, so that it stands after the scores of this morning."""
    asked = Asked(kind, entity, now_us)
    word, note, when = (form.get(name, "").strip() for name in (kind, "note", "when"))
    told = {kind: word, "when": _when(when, now_us, zone), "source": SOURCE, "key": _key(form, word, note, when)}
    if note:
        told["note"] = note
    try:
        return asked, read_one(asked, entity_id, json.dumps(told).encode())
    except Declined as error:
        raise BadForm([_of_note(each) for each in error.more.get("faults", ())] or [_unread(str(error))]) from None


def is_same_override(form: OverrideRequest, held: Any, author: str) -> bool:
    """Whether what holds already says all that the form says: it was sent twice."""
    if held is None:
        return False
    until = None if held.until is None else iso(from_us(held.until))
    return (held.band, held.reason, held.author, until) == (form.band, form.reason, author, form.until)


def outcomes_of(model: Model) -> Mapping[str, str]:
    """The words by which the model's outcome is told, and what each means."""
    verb, told = model.outcome.verb, model.outcome.told_as
    return {word: f"{word}: {verb}" if happened else f"{word}: not {verb}" for word, happened in told.items()}


def today(now_us: int, zone: str) -> str:
    """The day of the page's zone, ISO 8601."""
    return from_us(now_us).astimezone(ZoneInfo(zone)).date().isoformat()


def _key(form: Form, *typed: str) -> str:
    once = form.get("once", "")[:64]
    return hashlib.sha256(json.dumps([once, *typed]).encode()).hexdigest()


def _when(typed: str, now_us: int, zone: str) -> str:
    day = _day(typed)
    if day is None:
        return typed[:40]
    if day.isoformat() == today(now_us, zone):
        return iso(from_us(now_us // _MINUTE_US * _MINUTE_US))
    moment = _start_of(day, zone)
    return typed if moment is None else iso(from_us(moment))


def _day(typed: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(typed)
    except ValueError:
        return None


def _start_of(day: dt.date, zone: str) -> int | None:
    try:
        return to_us(dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC))
    except (OverflowError, ValueError):
        return None


def _of_note(fault: Mapping[str, str]) -> Mapping[str, str]:
    where = fault["where"].removeprefix("the note, ")
    return {**fault, "where": _NAMES.get(where, where)}


def _unread(text: str) -> Mapping[str, str]:
    return _fault("The form", "something else", text, "Open the page again")


def _fault(where: str, found: str, rule: str, next_step: str) -> Mapping[str, str]:
    return {"where": where, "found": found, "rule": rule, "next_step": next_step}


NO_SUCH_FORM = _fault("The form", "no such form", "One of this page", "Open the page again")
