"""How each connection stands: its settings as the process read them at its start, and the store's queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from features.kit.clock import from_us, iso
from features.kit.errors import Fault
from serving.connection_status import repository
from serving.connection_status.repository import MOST_COUNTED, Depth, Letters
from serving.connection_status.schemas import (
    ConnectionsAnswer,
    ConnectionShown,
    DeadLettersShown,
    LettersShown,
    QueueShown,
)
from serving.connections.config import ConnectionConfig, Connections
from serving.store.connect import Store
from serving.vendors.registry import VENDORS

NOTHING, NO_LETTERS = Depth(0, None), Letters(0)


@dataclass(frozen=True)
class Read:
    """The connections as a process read them at its start, and their folder."""

    found: Connections
    folder: Path


def connections(store: Store, read: Read) -> ConnectionsAnswer:
    """Raises `StoreAway`."""
    found = read.found
    faults = found.off(found.unsigned, found.silent)
    with store.read() as connection:
        waiting, failed = repository.inbox_depths(connection), repository.failed_events(connection)
        shown = [
            _shown(
                connection,
                read,
                name,
                found.mapped.get(name),
                _said(faults.get(name, ()), read.folder),
                waiting,
                failed,
            )
            for name in sorted({*found.mapped, *found.unread})
        ]
    return ConnectionsAnswer(shown)


def _shown(
    connection: Connection,
    read: Read,
    name: str,
    config: ConnectionConfig | None,
    faults: list[str],
    waiting: Mapping[str, Depth],
    failed: Mapping[str, Letters],
) -> ConnectionShown:
    found, source = read.found, config.source if config else None
    webhooks, write_back = "off", "off"
    if config is not None:
        receives = VENDORS[config.vendor].inbound is not None
        webhooks = "none" if not receives else "off" if name in found.unsigned else "on"
        write_back = "off" if name in found.silent else config.writeback.mode
    return ConnectionShown(
        name=name,
        vendor=config.vendor if config else None,
        source=source,
        webhooks=webhooks,
        write_back=write_back,
        faults=faults,
        inbox=_queue(waiting.get(name, NOTHING)),
        last_event_at=_moment(repository.last_received(connection, name)),
        to_score=repository.to_score(connection, source) if source else 0,
        outbox=_queue(repository.outbox_depth(connection, name)),
        last_sent_at=_moment(repository.last_sent(connection, name)),
        dead_letters=DeadLettersShown(
            scores=_letters(repository.dead_scores(connection, name)),
            events=_letters(failed.get(name, NO_LETTERS)),
            entities=_letters(repository.set_aside(connection, source) if source else NO_LETTERS),
        ),
    )


def _said(faults: tuple[Fault, ...] | list[Fault], folder: Path) -> list[str]:
    """The faults as sentences, with files named as in the folder of the connections."""
    return [str(fault).replace(f"{folder}/", "") for fault in faults]


def _queue(depth: Depth) -> QueueShown:
    return QueueShown(depth.count, depth.count >= MOST_COUNTED, _moment(depth.oldest_us))


def _letters(found: Letters) -> LettersShown:
    return LettersShown(found.count, found.count >= MOST_COUNTED, _moment(found.newest_us), found.why)


def _moment(us: int | None) -> str | None:
    return None if us is None else iso(from_us(us))
