"""Parses score requests strictly. A good request takes one pass of msgspec; a bad one is read again to explain every
fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET

from models.scorer.encoder import MOST_FAULTS, the_rest
from serving.errors import Declined, Invalid, Malformed, invalid
from serving.scoring.schemas import MAX_REASONS, MAX_RECORDS, FaultJson, Record, RecordError, ScoreRequest
from serving.strict_json import NotStrict, loads


class _Outline(msgspec.Struct, forbid_unknown_fields=True):
    records: list[msgspec.Raw]
    reasons: msgspec.Raw | msgspec.UnsetType = UNSET


_decoder = msgspec.json.Decoder(ScoreRequest)
_outline = msgspec.json.Decoder(_Outline)
_decode_record = msgspec.json.Decoder(Record).decode
_UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class WrongRecord:
    """A record that cannot be scored: its first faults, and how many `more` there are."""

    index: int
    entity_id: str | None
    code: str
    faults: list[FaultJson]
    more: int = 0


Parsed = list[Record | WrongRecord]
MOST_FAULTS_OF_ALL = 500
"""Most faults in one answer; the rest is counted."""
LARGEST_RECORD = 256 * 1024
"""Largest record, bytes. A record is parsed in one go, and one of this size blocks the event loop for some
milliseconds.
"""


def parse(body: bytes) -> tuple[Parsed, int]:
    """Returns the records in order, each valid or with its faults, and how many reasons are wanted. Raises for the
    whole body: `Malformed` when it is not strict JSON, `Invalid` when its shape is wrong.

    Raises when the body as a whole is none: `Malformed` for what is not strict JSON, `Invalid` for a wrong shape.
    """
    if len(body) > LARGEST_RECORD:
        return _one_by_one(body)
    try:
        request = _decoder.decode(body)
    except _UNREAD:
        return _one_by_one(body)
    # Each key has one colon, and texts may hold more: as many colons as keys means that no key is repeated.
    if body.count(b":") != _keys(request):
        return _one_by_one(body)
    return list(request.records), 0 if request.reasons is UNSET else request.reasons


def _keys(request: ScoreRequest) -> int:
    return 1 + (request.reasons is not UNSET) + sum(map(_keys_of, request.records))


def _keys_of(record: Record) -> int:
    count = (record.entity_id is not UNSET) + (record.value is not UNSET)
    return count if record.signals is UNSET else count + 1 + len(record.signals)


def _one_by_one(body: bytes) -> tuple[Parsed, int]:
    """The slower way: parses each record by itself, so that a fault concerns and costs one record."""
    try:
        body.decode()
        outline = _outline.decode(body)
    except _UNREAD as error:
        raise _whole(body, error) from None
    parts, reasons = outline.records, _reasons(outline)
    if not 1 <= len(parts) <= MAX_RECORDS:
        raise _wrong_records(f"a list of {len(parts)}")
    texts = [bytes(part) for part in parts]
    within = sum(text.count(b":") for text in texts)
    if outline.reasons is not UNSET:
        within += 1 + bytes(outline.reasons).count(b":")
    if body.count(b":") != 1 + within:
        raise _not_json(NotStrict("a key occurs twice in it"))
    return [_read(index, text) for index, text in enumerate(texts)], reasons


def _read(index: int, text: bytes) -> Record | WrongRecord:
    if len(text) > LARGEST_RECORD:
        found, rule = f"{len(text):,} bytes", f"a record has {LARGEST_RECORD:,} bytes at most"
        return error_of(index, None, [FaultJson(f"record {index}", found, rule, "send fewer signals")])
    try:
        record = _decode_record(text)
        if text.count(b":") == _keys_of(record):
            return record
    except _UNREAD:
        pass
    try:
        return _record(index, loads(text))
    except NotStrict as error:
        raise _not_json(error, f", record {index}") from None


def _whole(body: bytes, error: Exception) -> Declined:
    """Explains what is wrong with a body whose records cannot be read."""
    if len(body) > LARGEST_RECORD:  # reading it again for more details would delay others
        if isinstance(error, msgspec.ValidationError):
            return _shape("the body", str(error)[:100], "an object with records and reasons", "see /openapi.json")
        deep = isinstance(error, RecursionError)
        return _not_json(NotStrict("the text is nested too deeply" if deep else str(error)[:100]))
    try:
        content = loads(body)
    except NotStrict as reason:
        return _not_json(reason)
    if not isinstance(content, dict):
        return _shape("the body", _kind(content), "an object with records", 'write {"records": [...]}')
    unknown = sorted(content.keys() - {"records", "reasons"})
    if unknown:
        next_step = "put it into a record" if unknown[0] in Record.__struct_fields__ else "remove it"
        return _shape(f"key {unknown[0][:60]!r}", "no such key", "the body has records and reasons", next_step)
    return _wrong_records(_kind(content.get("records")))


def _wrong_records(found: str) -> Invalid:
    return _shape("key records", found, f"a list of 1 to {MAX_RECORDS} records", "send more requests for more")


def _reasons(outline: _Outline) -> int:
    if outline.reasons is UNSET:
        return 0
    try:
        reasons = loads(bytes(outline.reasons)[:LARGEST_RECORD])
    except NotStrict as error:
        raise _not_json(error) from None
    if isinstance(reasons, float) and reasons.is_integer():
        reasons = int(reasons)  # 4.0 is an integer to JSON Schema
    if type(reasons) is not int or not 0 <= reasons <= MAX_REASONS:
        raise _shape("key reasons", _kind(reasons), f"a whole number from 0 to {MAX_REASONS}", "mend it")
    return reasons


def _record(index: int, item: Any) -> Record | WrongRecord:
    place = f"record {index}"
    if not isinstance(item, dict):
        return error_of(index, None, [FaultJson(place, _kind(item), "an object with entity_id or signals", "mend it")])
    wrong = _faults(place, item)
    faults = list(islice(wrong, MOST_FAULTS))
    entity_id = item.get("entity_id")
    known = entity_id if isinstance(entity_id, str) and entity_id else None
    if not faults:
        try:
            return msgspec.convert(item, Record)
        except msgspec.ValidationError as error:
            faults.append(FaultJson(place, str(error)[:200], "the schema in /openapi.json", "mend it"))
    return error_of(index, known, faults, more=sum(1 for _ in wrong))


def _faults(place: str, item: dict[str, Any]) -> Iterator[FaultJson]:
    for key in sorted(item.keys() - {"entity_id", "signals", "value"}):
        rule = "a record has entity_id, signals and value"
        yield FaultJson(f"{place}, key {key[:60]!r}", "no such key", rule, "put signals under signals")
    entity_id = item.get("entity_id", "")
    if "entity_id" in item and not (isinstance(entity_id, str) and 1 <= len(entity_id) <= 256):
        found = _kind(entity_id) if not isinstance(entity_id, str) else f"{len(entity_id)} characters"
        yield FaultJson(f"{place}, entity_id", found, "a text of 1 to 256 characters", "write it in quotes")
    value = item.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
        yield FaultJson(f"{place}, value", _kind(value), "a number from 0, or null", "mend it")
    signals = item.get("signals", {})
    if not isinstance(signals, dict):
        yield FaultJson(f"{place}, signals", _kind(signals), "an object, signal to value", "mend it")
        return
    for name, given in signals.items():
        if isinstance(given, (list, dict)):
            rule = "a number, a text, true, false or null"
            yield FaultJson(f"{place}, signal {name[:60]!r}", _kind(given), rule, "mend it")


def error_of(
    index: int, entity_id: str | None, faults: list[FaultJson], code: str = "bad_record", more: int = 0
) -> WrongRecord:
    """The error of a record: the faults that are listed, and how many more there are."""
    return WrongRecord(index, entity_id and entity_id[:256], code, faults, more)


def bounded(errors: Sequence[WrongRecord]) -> list[RecordError]:
    """Bounds the errors of one answer: beyond `MOST_FAULTS_OF_ALL` faults, each further record lists its first fault
    only.
    """
    shown, told = [], 0
    for error in errors:
        faults, more = error.faults, error.more
        lines = len(faults) + (more > 0)
        if lines > 1 and told + lines > MOST_FAULTS_OF_ALL:
            faults, more = faults[:1], more + len(faults) - 1
        faults = [*faults, _the_rest(error.index, more)] if more else faults
        told += len(faults)
        shown.append(RecordError(error.index, error.entity_id, error.code, faults))
    return shown


def _the_rest(index: int, count: int) -> FaultJson:
    fault = the_rest(index, count)
    return FaultJson(fault.where, fault.found, fault.rule, fault.next_step)


def _kind(value: Any) -> str:
    """Names the kind of a value for a message, never the value: it may be a person's name."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _not_json(error: NotStrict, where: str = "") -> Malformed:
    return Malformed("not_strict_json", f"the body is not strict JSON{where}: {error}")


def _shape(where: str, found: str, rule: str, next_step: str) -> Invalid:
    return invalid("wrong_shape", where, found, rule, next_step)
