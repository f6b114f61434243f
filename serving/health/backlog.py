"""Gauges of waiting work and of the age of signals, read from the store at each scrape."""

from __future__ import annotations

from sqlalchemy import func, select

from features.kit.clock import AHEAD_US, to_us
from features.sources.schema import ENTITIES
from serving.errors import StoreAway
from serving.inbox.repository import APPLIED, FAILED, TRUNCATED, WAITING
from serving.state import AppState
from serving.store.tables import dirty, inbox, signals, writebacks

INBOX, OUTBOX = (WAITING, APPLIED, FAILED, TRUNCATED), ("waiting", "dead")


def measure(state: AppState) -> None:
    """Sets the gauges. While the store is away they keep their last values."""
    metrics, now_us = state.metrics, to_us(state.clock())
    try:
        with state.store.read() as connection:
            by_state = select(inbox.c.state, func.count()).where(inbox.c.state.in_(INBOX)).group_by(inbox.c.state)
            events = {name: count for name, count in connection.execute(by_state)}
            by_state = select(writebacks.c.state, func.count()).group_by(writebacks.c.state)
            messages = {name: count for name, count in connection.execute(by_state)}
            changed = connection.execute(select(func.count()).where(dirty.c.error.is_(None))).scalar_one()
            set_aside = connection.execute(select(func.count()).where(dirty.c.error.is_not(None))).scalar_one()
            seen = signals.c.as_of <= now_us + AHEAD_US
            newest_of = select(signals.c.entity, func.max(signals.c.as_of)).where(seen).group_by(signals.c.entity)
            newest = {entity: as_of for entity, as_of in connection.execute(newest_of)}
    except StoreAway:
        return
    for name in INBOX:
        metrics.inbox.labels(name).set(events.get(name, 0))
    for name in OUTBOX:
        metrics.outbox.labels(name).set(messages.get(name, 0))
    metrics.dirty.set(changed)
    metrics.set_aside.set(set_aside)
    for entity in ENTITIES:
        if entity in newest:
            metrics.signals_age.labels(entity).set(max(0, now_us - newest[entity]) / 1e6)
