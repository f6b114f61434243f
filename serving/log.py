"""Logging of the serving commands: one line an event, UTC, to stderr; no ids of people, no values.

A call says `log.info("event.past key=%s", value)`. The line is put together from the template's fields, so that nothing in
a value can begin a line or a field: structlog writes it as logfmt (values quoted where needed) or as JSON.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from contextvars import ContextVar
from typing import Any

from structlog.processors import JSONRenderer, LogfmtRenderer

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Number of the current request, set by the gateway; every line that is logged meanwhile carries it."""
FORMATS = ("text", "json")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FIELD = re.compile(r"(?:^| )([a-z_]+)=([^ %]*%[^ ]*|.*?)(?= [a-z_]+=| [^ =]*%|$)")
_PLACEHOLDER = re.compile(r"%[-\d.]*[a-z]")
_TEXT, _JSON = LogfmtRenderer(bool_as_flag=False), JSONRenderer()
_OWN = frozenset({"time", "level", "logger", "event", "request"})


class Place(str):
    """`type=... at=FILE:LINE` of an error; two fields of the line that it is logged in."""

    type: str
    at: str

    def __new__(cls, type: str, at: str) -> Place:
        made = super().__new__(cls, f"type={type} at={at}")
        made.type, made.at = type, at
        return made


class OneLine(logging.Formatter):
    """`TIME LEVEL LOGGER event key=value ... request=ID`, or the same as one JSON object."""

    converter = time.gmtime  # type: ignore[assignment]  # logging's documented way to UTC

    def __init__(self, form: str = "text") -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        event, fields = fields_of(record)
        number = request_id.get()
        if number:
            fields["request"] = number
        head = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "event": event,
        }
        if self._json:
            return str(_JSON(None, "", head | fields))
        said = {key: _quoted(value) for key, value in fields.items()}
        return " ".join([*(_quoted(value) for value in head.values()), *(f"{k}={v}" for k, v in said.items())])


def _quoted(value: Any) -> str:
    text = str(_TEXT(None, "", {"v": str(value).replace("\\", "\\\\")}))[2:]
    if not text.startswith('"') and (not text or re.search(r"\s", text)):
        text = f'"{text}"'
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def fields_of(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Takes the event and the fields from the template, never from the values. Text of the template outside a field
    is a `Place`, or the reason (field `why`).

    What stands in the template outside of a field is a `Place`, or the reason: field `why`.
    """
    template = str(record.msg)
    arguments = list(record.args) if isinstance(record.args, tuple) else []
    if len(_PLACEHOLDER.findall(template)) != len(arguments):
        return record.getMessage(), {}
    name, space, rest = template.partition(" ")
    if not arguments and "=" not in rest:
        return template, {}
    event, place = _filled(name, arguments), 0
    fields: dict[str, Any] = {}
    while space and place < len(rest):
        found = _FIELD.match(rest, place)
        if found:
            key, text = found[1], found[2]
            place = found.end()
            of_it = _PLACEHOLDER.fullmatch(text)
            value = arguments.pop(0) if of_it and text in ("%s", "%d") else _filled(text, arguments)
            fields[key + "_" if key in _OWN else key] = value if isinstance(value, int) else str(value)
            continue
        end = next((m.start() for m in re.finditer(r" [a-z_]+=", rest[place:])), len(rest) - place) + place
        text, place = rest[place:end].strip(), end
        if text == "%s" and isinstance(arguments[0], Place):
            error = arguments.pop(0)
            assert isinstance(error, Place)
            fields |= {"type": error.type, "at": error.at}
        elif text:
            fields["why"] = _filled(text, arguments)
    return event, fields


def _filled(text: str, arguments: list[Any]) -> str:
    count = len(_PLACEHOLDER.findall(text))
    taken, arguments[:count] = tuple(arguments[:count]), []
    return text % taken if count else text


def place_of(error: BaseException) -> Place:
    """Returns `type=... at=FILE:LINE` of an unexpected error. Its message is left out: it may hold values of a
    request or a row.
    """
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    return Place(type(error).__name__, where)


def configure(form: str = "text", level: int = logging.INFO) -> None:
    """Called by the commands, never by an import. `form` is one of `FORMATS`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(form))
    log = logging.getLogger("serving")
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
