"""Reads notes from requests: each is a note or has every fault that it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.kit.clock import SKEW_US, as_utc, from_us, iso, to_us
from features.outcomes.catalog import OUTCOMES
from serving.errors import Conflict, Declined, Invalid, Malformed, NotFound, invalid
from serving.notes.repository import OUTCOME, Note, id_of
from serving.notes.schemas import (
    LONGEST_ID,
    LONGEST_KEY,
    LONGEST_NOTE,
    LONGEST_SOURCE,
    LONGEST_WORD,
    MAX_NOTES,
    WORDS,
    NoteError,
    NoteFault,
)
from serving.store.text import is_kept
from serving.strict_json import NotStrict, loads

Read = list[Note | NoteError]
BAD, IN_FUTURE, NO_SUCH_OUTCOME = "bad_note", "in_the_future", "no_such_outcome"
"""Codes of what is wrong with a note: the second and third would be right at another time, or of another entity."""
_Fault = tuple[str, NoteFault]
"""With its code."""
SKEW = f"{SKEW_US // 60_000_000} minutes"


@dataclass(frozen=True)
class Asked:
    """What a request is about: which notes, of which kind of entity, and the clock."""

    kind: str
    entity: str
    now_us: int
    sources: tuple[str, ...] = ()
    """The sources of the connections: a worker scores their accounts and leads anew after an outcome."""

    @property
    def words(self) -> tuple[str, ...]:
        """The outcomes that can be told of the entity."""
        return tuple(word for each in OUTCOMES.values() if each.entity == self.entity for word in each.told_as)


def read_many(asked: Asked, body: bytes) -> Read:
    """The notes of a request for many, in order, each by itself. Raises `Malformed` when the body is not strict JSON, and
    `Invalid` when it is not a list of 1 to `MAX_NOTES` notes."""
    content = _object(body)
    unknown = sorted(content.keys() - {"notes"})
    if unknown:
        raise _shape(
            f"key {unknown[0][:60]!r}", "no such key", "the body has notes", "put it into a note, or remove it"
        )
    given = content.get("notes")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_NOTES:
        found = f"a list of {len(given):,}" if isinstance(given, list) else _kind(given)
        rule, step = f"a list of 1 to {MAX_NOTES:,} notes", "send them in several requests; none of these was stored"
        raise _shape("key notes", found, rule, step)
    return [_read(asked, index, item, None) for index, item in enumerate(given)]


def read_one(asked: Asked, entity_id: str, body: bytes) -> Note:
    """The note of a request for one entity. Raises `Malformed`, and `Invalid` with every fault."""
    found = _read(asked, 0, _object(body), entity_id)
    if isinstance(found, NoteError):
        raise refusal(found)
    return found


def refusal(error: NoteError) -> Declined:
    """The error of a single note as the refusal of its request."""
    faults = [{name: getattr(fault, name) for name in fault.__struct_fields__} for fault in error.faults]
    text = "; ".join(f"{f.where}: {f.found}. Rule: {f.rule}. Next: {f.next_step}" for f in error.faults)
    kind = {IN_FUTURE: Conflict, NO_SUCH_OUTCOME: NotFound}.get(error.code, Invalid)
    return kind(error.code, f"{text}.", {"faults": faults})


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = loads(body)
    except NotStrict as error:
        raise Malformed("not_strict_json", f"the body is not strict JSON: {error}") from None
    if not isinstance(content, dict):
        raise _shape("the body", _kind(content), "an object", "see /openapi.json")
    return content


def _read(asked: Asked, index: int, item: Any, entity_id: str | None) -> Note | NoteError:
    """`entity_id` is that of the path; None when the note names it itself."""
    many = entity_id is None
    place = f"note {index}" if many else "the note"
    if not isinstance(item, dict):
        return NoteError(index, None, BAD, [NoteFault(place, _kind(item), "an object", "see /openapi.json")])
    whose = item.get("entity_id") if many else entity_id
    faults = list(_faults(asked, place, item, many))
    if faults:
        readable = isinstance(whose, str) and 0 < len(whose) <= LONGEST_ID
        codes = {code for code, _ in faults}
        code = next(code for code in (BAD, NO_SUCH_OUTCOME, IN_FUTURE) if code in codes)
        return NoteError(index, whose if readable else None, code, [fault for _, fault in faults])
    assert isinstance(whose, str)
    # The sender's clock may be ahead: what is told cannot come after it was told.
    event_at = min(_moment(item["when"]) or 0, asked.now_us)
    word, source, key = item[asked.kind], item["source"], item.get("key")
    id = id_of(asked.kind, asked.entity, whose, key, word, event_at, source)
    return Note(id, asked.kind, asked.entity, whose, word, event_at, asked.now_us, source, item.get("note"))


def _faults(asked: Asked, place: str, item: dict[str, Any], many: bool) -> Iterator[_Fault]:
    keys = [*(["entity_id"] if many else []), asked.kind, "when", "source", "note", "key"]
    for key in sorted(item.keys() - set(keys)):
        yield BAD, NoteFault(f"{place}, key {key[:60]!r}", "no such key", f"one of {', '.join(keys)}", "remove it")
    if many:
        yield from _text(f"{place}, entity_id", item, "entity_id", LONGEST_ID)
    word = item.get(asked.kind)
    if asked.kind == OUTCOME:
        if not isinstance(word, str) or word not in asked.words:
            rule = f"one of {', '.join(asked.words)}: what can be told of {asked.entity}s"
            code = NO_SUCH_OUTCOME if isinstance(word, str) and word in WORDS else BAD
            yield code, NoteFault(f"{place}, outcome", _kind(word), rule, "write one of them")
    else:
        yield from _text(f"{place}, action", item, "action", LONGEST_WORD)
    yield from _when(f"{place}, when", item.get("when"), asked.now_us)
    yield from _text(f"{place}, source", item, "source", LONGEST_SOURCE)
    for key, longest in (("note", LONGEST_NOTE), ("key", LONGEST_KEY)):
        if item.get(key) is not None:
            yield from _text(f"{place}, {key}", item, key, longest, shortest=int(key == "key"))


def _text(where: str, item: dict[str, Any], key: str, longest: int, shortest: int = 1) -> Iterator[_Fault]:
    given = item.get(key)
    rule = f"a text of {shortest} to {longest:,} characters, without NUL"
    if not isinstance(given, str):
        yield BAD, NoteFault(where, _kind(given), rule, "write it in quotes")
    elif not shortest <= len(given) <= longest:
        yield BAD, NoteFault(where, f"{len(given):,} characters", rule, "shorten it" if given else "write something")
    elif not is_kept(given):
        yield BAD, NoteFault(where, "a character that no store keeps", rule, "remove it")


def _when(where: str, given: Any, now_us: int) -> Iterator[_Fault]:
    rule, step = "a UTC date or time, ISO 8601", "write 2026-02-27 or 2026-02-27T18:00:00Z"
    moment = _moment(given) if isinstance(given, str) and len(given) <= 40 else None
    if moment is None:
        yield BAD, NoteFault(where, "something else" if isinstance(given, str) else _kind(given), rule, step)
    elif moment > now_us + SKEW_US:
        rule = f"at most {SKEW} after the clock, which is at {iso(from_us(now_us))}"
        yield IN_FUTURE, NoteFault(where, iso(from_us(moment)), rule, "tell it when it has happened")


def _moment(text: str) -> int | None:
    try:
        return to_us(as_utc(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        return None


def _shape(where: str, found: str, rule: str, next_step: str) -> Invalid:
    return invalid("wrong_shape", where, found, rule, next_step)


def _kind(value: Any) -> str:
    """The kind of a value, never the value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
