"""Notes for tests: the files that serving publishes, and notes of the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from features.kit.clock import to_us
from features.sources.notes import FOLDER, FORMAT
from serving.notes.repository import Note, id_of
from tests.kit.company import at


def line(
    entity_id: str, word: str, when: str, told: str | None = None, entity: str = "account", kind: str = "outcome"
) -> dict[str, Any]:
    """A line of a file: what happened when, and when it was told."""
    event, known = to_us(at(when)), to_us(at(told or when))
    return {
        "id": f"{kind}{entity}{entity_id}{word}{event}",
        "kind": kind,
        "entity": entity,
        "entity_id": entity_id,
        "word": word,
        "event_us": event,
        "known_us": known,
    }


def write_notes(home: Path, *lines: dict[str, Any], month: str = "2025-01") -> Path:
    """A file of notes in a home."""
    file = home / FOLDER / f"{month}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    first = {"format": FORMAT, "generation": 1}
    file.write_text("".join(json.dumps(each) + "\n" for each in (first, *lines)))
    return file


def note(
    entity_id: str = "acme",
    word: str = "churned",
    event_at: int = 1_000,
    known_at: int = 2_000,
    *,
    entity: str = "account",
    kind: str = "outcome",
    source: str = "crm",
    text: str | None = None,
    key: str | None = None,
) -> Note:
    """A note of the store."""
    id = id_of(kind, entity, entity_id, key, word, event_at, source)
    return Note(id, kind, entity, entity_id, word, event_at, known_at, source, text)
