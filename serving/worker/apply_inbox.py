"""First half of a round: turns inbox events into row changes and marks the entities they touch as dirty, in one
transaction.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from features.kit.clock import Clock, to_us
from features.sources.source import Source
from serving.audit_log.entry import command
from serving.connections.config import ConnectionConfig
from serving.errors import StoreAway
from serving.inbox import repository as inbox
from serving.inbox.sealed import Seal
from serving.log import place_of
from serving.notes import repository as notes
from serving.notes.audit import append_told
from serving.outbox import echo_ledger
from serving.privacy import repository as privacy
from serving.privacy.aliases import aliases
from serving.store.connect import Store
from serving.store.dirty_marks import mark_dirty
from serving.worker import row_changes as rows
from serving.worker.crm_deletions import ENTITY_OF, CrmDeletion, deletion_of, moved_children, take_away
from serving.worker.crm_outcomes import told_by
from serving.worker.row_changes import (
    CannotApply,
    Change,
    Entity,
    Links,
    change_of,
    check_custom,
    is_signal,
    parent_of,
    without_parent,
)
from serving.worker.source_cache import Sources

log = logging.getLogger("serving.worker")
LETTERS_A_ROUND = 2000
KIND_OF = {table: kind for kind, table in privacy.TABLES.items()}


@dataclass(frozen=True)
class Applied:
    """What one round did."""

    events: int = 0
    failed: int = 0
    echoes: int = 0
    removals: int = 0
    """Entities that were deleted, merged, brought back or erased."""
    erased: int = 0
    late: int = 0
    """Events about erased entities; their contents were removed."""
    notes: int = 0
    """Outcomes that stages of CRMs told."""

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            self.events + other.events,
            self.failed + other.failed,
            self.echoes + other.echoes,
            self.removals + other.removals,
            self.erased + other.erased,
            self.late + other.late,
            self.notes + other.notes,
        )


def apply_events(
    store: Store, sources: Sources, connections: Mapping[str, ConnectionConfig], clock: Clock, off: Collection[str] = ()
) -> Applied:
    """Applies the oldest events, except those of connections that are `off`. Raises `StoreAway`; nothing was changed
    then.

    An event that cannot be applied fails, and the others are applied: the batch is halved until the event is alone.
    When every one of several events fails, the fault is not theirs: the error is raised and they wait.
    """
    with store.read() as connection:
        events = inbox.waiting(connection, LETTERS_A_ROUND, off)
    if not events:
        return Applied()
    bad: list[tuple[inbox.InboxEvent, Exception]] = []
    done = _halving(store, sources, connections, clock, events, bad)
    if len(bad) == len(events) > 1:
        raise bad[0][1]
    if bad:
        with store.write() as connection:
            for event, error in bad:
                inbox.mark(connection, event.id, inbox.FAILED, f"it cannot be worked on: {type(error).__name__}")
        log.error(
            "letters.set_aside count=%d first=%s next=python -m serving dead-letters list",
            len(bad),
            place_of(bad[0][1]),
        )
    return done + Applied(len(bad), len(bad))


def _halving(
    store: Store,
    sources: Sources,
    connections: Mapping[str, ConnectionConfig],
    clock: Clock,
    events: Sequence[inbox.InboxEvent],
    bad: list[tuple[inbox.InboxEvent, Exception]],
) -> Applied:
    try:
        return _apply_some(store, sources, connections, clock, events)
    except StoreAway:
        raise
    except Exception as error:
        if len(events) == 1:
            bad.append((events[0], error))
            return Applied()
    half = len(events) // 2
    first = _halving(store, sources, connections, clock, events[:half], bad)
    return first + _halving(store, sources, connections, clock, events[half:], bad)


def _apply_some(
    store: Store,
    sources: Sources,
    connections: Mapping[str, ConnectionConfig],
    clock: Clock,
    events: Sequence[inbox.InboxEvent],
) -> Applied:
    with store.read() as connection:
        erased = privacy.Erased.load(connection)
        ours = _echoes(connection, events)
    work = _Work()
    for event in events:
        config = connections.get(event.connection)
        if erased.any([_subject_of(event, config)]):
            work.late.append(event.id)
        elif event.id in ours:
            work.settled[event.id] = (inbox.ECHO, None)
        elif config is None:
            gone = "its connection is gone: put the TOML file back and set the event to waiting"
            work.settled[event.id] = (inbox.FAILED, gone)
        else:
            work.take(event, config)
    now = to_us(clock())
    told: list[notes.Told] = []
    with store.write() as connection:
        for source_name, config in work.by_source.items():
            told += _apply(connection, sources.get(config), source_name, work, erased, now, sources.seal)
        for crm in sorted({each.note.source for each in told}):  # before the erasures, which take it out again
            who = command(f"webhook {crm.removeprefix('crm:')}")
            append_told(connection, who, [each for each in told if each.note.source == crm], now)
        for event in work.to_forget:
            config = connections[event.connection]
            subject = _subject_of(event, config)
            assert subject is not None
            who = command(f"webhook {event.connection}")
            privacy.erase(connection, *subject, now, aliases(connections.values(), *subject), who)
        privacy.empty_events(connection, work.late)
        privacy.empty_values(connection, work.of_erased_parents)
        for event_id, (state, why) in work.settled.items():
            inbox.mark(connection, event_id, state, why)
    failed = [why for state, why in work.settled.values() if state == inbox.FAILED]
    if failed:
        log.warning("letters.failed count=%d first=%s", len(failed), failed[0])
    removals = sum(map(len, work.removals.values())) + len(work.to_forget)
    return Applied(len(events), len(failed), len(ours), removals, len(work.to_forget), len(work.late), len(told))


@dataclass
class _Work:
    """Events of one round, sorted by what they need."""

    by_source: dict[str, ConnectionConfig] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    removals: dict[str, list[CrmDeletion]] = field(default_factory=lambda: defaultdict(list))
    settle_seconds: dict[int, float] = field(default_factory=dict)
    settled: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    """Events that need no scoring: final state and reason."""
    late: list[int] = field(default_factory=list)
    of_erased_parents: list[int] = field(default_factory=list)
    """Events that named an erased account as the parent of another."""
    to_forget: list[inbox.InboxEvent] = field(default_factory=list)
    stages: dict[int, inbox.InboxEvent] = field(default_factory=dict)
    """Changes of a property whose values may tell an outcome."""
    outcomes: dict[int, Mapping[str, str]] = field(default_factory=dict)
    """Of these: the CRM's word to won, lost or churned."""

    def take(self, event: inbox.InboxEvent, config: ConnectionConfig) -> None:
        mapped = config.objects.get(event.object_type)
        if mapped is None:
            unmapped = f"the connection has no [objects.{event.object_type}] any more"
            self.settled[event.id] = (inbox.FAILED, unmapped)
            return
        if event.effect == "forget":
            if mapped.table in KIND_OF:
                self.to_forget.append(event)
            else:
                self.settled[event.id] = (inbox.FAILED, f"a row of {mapped.table} is nobody to forget")
            return
        if event.effect in ("delete", "merge", "create") and mapped.table in ENTITY_OF:
            self.removals[config.source].append(deletion_of(event, mapped))
            self.by_source[config.source] = config
        if event.effect in ("delete", "merge"):
            why = None if mapped.table in ENTITY_OF else "taken over with the next reading of the source"
            self.settled[event.id] = (inbox.KEPT, why)
            return
        try:
            change = change_of(event, config)
        except CannotApply as error:
            self.settled[event.id] = (inbox.FAILED, str(error))
            return
        words = mapped.outcomes.get(event.property or "")
        if words:
            self.stages[event.id], self.outcomes[event.id] = event, words
        self.changes[config.source].append(change)
        self.by_source[config.source] = config
        self.settle_seconds[event.id] = config.settle_seconds


def _apply(
    connection: Connection,
    source: Source,
    source_name: str,
    work: _Work,
    erased: privacy.Erased,
    now_us: int,
    seal: Seal,
) -> list[notes.Told]:
    """Returns what became of the outcomes that were told."""
    removals = work.removals.get(source_name, [])
    found = []
    for change in work.changes.get(source_name, ()):
        try:
            check_custom(source, change, seal)
            found.append(change)
        except CannotApply as error:
            work.settled[change.event_id] = (inbox.FAILED, str(error))
    for removal in removals:
        found += moved_children(source, removal)
    links = Links(source, connection, source_name)
    for table in {change.table for change in found}:
        links.prepare(table, sorted({change.key for change in found if change.table == table}))
    touched: dict[Entity, float] = {}
    linked = []
    told: list[notes.Note] = []
    for change in found:
        account, lead, entities = links.follow(change)
        if erased.any([("account", account), ("lead", lead)]):
            work.late.append(change.event_id)
            continue
        named = erased.any([("account", parent_of(change))])
        if named:
            work.of_erased_parents.append(change.event_id)
        linked.append((without_parent(change) if named else change, account, lead))
        if change.event_id in work.stages:
            event, words = work.stages[change.event_id], work.outcomes[change.event_id]
            of_event = told_by(event, change.event_us, words, seal, {"account": account, "lead": lead})
            told += of_event
            # An outcome changes who gets a score, also where no signal reads the stage.
            for note in of_event:
                touched.setdefault((note.entity, note.entity_id), work.settle_seconds.get(change.event_id, 0.0))
        if not is_signal(source, change):
            # Kept in case the source gets a column of that name; no present signal changes.
            work.settled[change.event_id] = (inbox.KEPT, None)
            continue
        if change.event_id in work.settle_seconds:
            entity, entity_id = _subject(change, entities)
            inbox.mark(connection, change.event_id, inbox.APPLIED, None, entity, entity_id)
        for each in entities:
            settle = work.settle_seconds.get(change.event_id, 0.0)
            touched[each] = max(touched.get(each, 0.0), settle)
    for removal in removals:
        if removal.into is not None:
            touched.setdefault((removal.entity, removal.into), 0.0)
    for each in links.leads_of([i for e, i in touched if e == "account"]):
        touched.setdefault(each, 0.0)
    rows.save(connection, source_name, linked)
    mark_dirty(connection, source_name, touched, now_us)
    take_away(connection, source_name, removals)
    return list(notes.put(connection, told).values())


def _echoes(connection: Connection, events: Sequence[inbox.InboxEvent]) -> set[int]:
    """Events that report our own writes."""
    found: set[int] = set()
    told = [event for event in events if event.effect == "change" and event.property is not None]
    for name in {event.connection for event in told}:
        keys = {
            x.id: (x.object_type, x.object_id, x.property or "", x.value or "") for x in told if x.connection == name
        }
        ours = echo_ledger.echoes(connection, name, list(keys.values()))
        found |= {event_id for event_id, key in keys.items() if key in ours}
    return found


def _subject_of(event: inbox.InboxEvent, config: ConnectionConfig | None) -> tuple[str, str] | None:
    """Kind and id of the person or company that an event is about; None when it cannot be erased."""
    mapped = config.objects.get(event.object_type) if config else None
    if mapped is None or mapped.table not in KIND_OF:
        return None
    return KIND_OF[mapped.table], mapped.key_of(event.object_id)


def _subject(change: Change, entities: set[Entity]) -> tuple[str | None, str | None]:
    """The entity whose scoring completes an event."""
    if change.is_entity:
        return ("account" if change.table == "accounts" else "lead"), change.key
    return min(entities) if entities else (None, None)
