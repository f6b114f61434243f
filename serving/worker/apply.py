"""First half of the work: letters become changes, and changes make entities dirty; one transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from serving.clock import Clock, to_us
from serving.connections import ConnectionConfig
from serving.privacy import repository as privacy
from serving.store.connect import Store, upsert
from serving.store.tables import dirty
from serving.webhooks import inbox
from serving.worker import changes as rows
from serving.worker.changes import CannotApply, Change, Entity, Links, change_of
from serving.worker.sources import Sources

log = logging.getLogger("serving.worker")
LETTERS_A_ROUND = 2000
KIND_OF = {table: kind for kind, table in privacy.TABLES.items()}


@dataclass(frozen=True)
class Applied:
    """What one round did."""

    letters: int = 0
    failed: int = 0


def apply_letters(
    store: Store, sources: Sources, connections: Mapping[str, ConnectionConfig], clock: Clock
) -> Applied:  # fmt: skip
    """Work on the oldest letters. Raises `StoreAway`; then nothing was changed."""
    with store.read() as connection:
        letters = inbox.waiting(connection, LETTERS_A_ROUND)
        erased = privacy.Erased.load(connection)
    if not letters:
        return Applied()
    good: dict[str, list[Change]] = defaultdict(list)
    by_source: dict[str, ConnectionConfig] = {}
    failed: list[tuple[int, str]] = []
    settle: dict[int, float] = {}
    late: list[int] = []
    for letter in letters:
        config = connections.get(letter.connection)
        if erased.any([_subject_of(letter, config)]):
            late.append(letter.id)
            continue
        try:
            if config is None:
                raise CannotApply("its connection is gone: put the TOML file back and set the letter to waiting")
            change = change_of(letter, config)
        except CannotApply as error:
            failed.append((letter.id, str(error)))
            continue
        good[config.source].append(change)
        by_source[config.source] = config
        settle[letter.id] = config.settle_seconds

    now = to_us(clock())
    with store.write() as connection:
        for source_name, found in good.items():
            links = Links(sources.get(by_source[source_name]), connection, source_name)
            for table in {change.table for change in found}:
                links.prepare(table, sorted({change.key for change in found if change.table == table}))
            touched: dict[Entity, float] = {}
            linked = []
            for change in found:
                account, lead, entities = links.follow(change)
                if erased.any([("account", account), ("lead", lead)]):
                    late.append(change.letter_id)
                    continue
                linked.append((change, account, lead))
                entity, entity_id = _subject(change, entities)
                inbox.mark(connection, change.letter_id, inbox.APPLIED, None, entity, entity_id)
                for each in entities:
                    touched[each] = max(touched.get(each, 0.0), settle[change.letter_id])
            for each in links.leads_of([i for e, i in touched if e == "account"]):
                touched.setdefault(each, 0.0)
            rows.save(connection, source_name, linked)
            mark_dirty(connection, source_name, touched, now)
        privacy.empty_letters(connection, late)
        for letter_id, why in failed:
            inbox.mark(connection, letter_id, inbox.FAILED, why)
    if failed:
        log.warning("letters.failed count=%d first=%s", len(failed), failed[0][1])
    return Applied(len(letters), len(failed))


def _subject_of(letter: inbox.Letter, config: ConnectionConfig | None) -> tuple[str, str] | None:
    """The kind and the id of what an event is about, where it can have been erased."""
    mapped = config.objects.get(letter.object_type) if config else None
    if mapped is None or mapped.table not in KIND_OF:
        return None
    return KIND_OF[mapped.table], mapped.key_of(letter.object_id)


def mark_dirty(connection: Connection, source_name: str, entities: Mapping[Entity, float], now_us: int) -> None:
    """Entities whose signals changed, each with its settle time in seconds."""
    found = [
        {
            "source": source_name,
            "entity": entity,
            "entity_id": entity_id,
            "generation": 1,
            "due_at": now_us + int(seconds * 1e6),
        }
        for (entity, entity_id), seconds in sorted(entities.items())
    ]
    upsert(connection, dirty, found, unique=("source", "entity", "entity_id"), add=("generation",))


def _subject(change: Change, entities: set[Entity]) -> tuple[str | None, str | None]:
    """The entity whose scoring ends the work on a letter."""
    if change.is_entity:
        return ("account" if change.table == "accounts" else "lead"), change.key
    return min(entities) if entities else (None, None)
