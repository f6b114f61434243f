"""What of the service needs somebody, in sentences: read from the answers of the rooms, it asks nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.kit.clock import parse_as_of
from serving.cards.schemas import ModelShown
from serving.connection_status.schemas import ConnectionShown
from serving.page.formats import age, count
from serving.registry_heartbeat import Confirmed
from serving.runs.run_card import FAILED, PUBLISHED
from serving.runs.schemas import RunShown
from serving.runs.service import UNFINISHED, UNREADABLE

WAITS_LONG_SECONDS = 900
"""An event or a score that has waited so long is stuck: a worker takes seconds."""
OLD_DAYS = 7
"""A nightly run of so many days ago is old, whatever a model allows."""


@dataclass(frozen=True)
class StoreShown:
    """How the store stands."""

    kind: str
    """SQLite or Postgres."""
    reached: bool
    revision: str | None
    wanted: str
    """The revision of this version."""
    writable: bool | None
    """None: it is not reached."""
    keys_lost: bool


@dataclass(frozen=True)
class KeyShown:
    """An API key without what proves it."""

    id: str
    name: str
    scopes: Sequence[str]
    created_at: str
    expires_at: str | None
    state: str
    """live, expired or revoked."""


@dataclass(frozen=True)
class Need:
    """One thing that needs somebody."""

    text: str
    anchor: str
    """Where on the page it is told."""


def needs(
    store: StoreShown,
    models: Sequence[tuple[ModelShown, Confirmed]],
    runs: Sequence[RunShown],
    connections: Sequence[ConnectionShown],
    now: datetime,
) -> list[Need]:
    """Everything that needs somebody, the worst first."""
    found = [Need(text, "store") for text in _of_store(store)]
    found += [Need(text, "models") for text in _of_models(models)]
    found += [Need(text, "runs") for text in _of_runs(runs, now)]
    found += [Need(text, "connections") for each in connections for text in _of_connection(each, now)]
    return found


def _of_store(store: StoreShown) -> Iterator[str]:
    if not store.reached:
        yield "The store does not answer. Scores that bring their own signals are still given."
    elif not store.writable:
        yield "The store takes no writes: it is locked, full or read-only."
    if store.keys_lost:
        yield "The store has lost the API keys: every request is refused. Restore a backup, or make a key."


def _of_models(models: Sequence[tuple[ModelShown, Confirmed]]) -> Iterator[str]:
    if not any(model.serves for model, _ in models):
        yield "No model is live: nothing is scored."
    for model, confirmed in models:
        if model.refused:
            kept = f"version {model.serves_version} goes on" if model.serves else "nothing is served"
            yield f"{model.title}: the newest version is refused, {kept}."
        if confirmed.failed:
            yield f"{model.title}: the registry did not confirm what is live."


def _of_runs(runs: Sequence[RunShown], now: datetime) -> Iterator[str]:
    if not runs:
        yield "No nightly run is known: lists are empty until the first."
        return
    newest = runs[0]
    if newest.state in (FAILED, UNFINISHED, UNREADABLE):
        yield f"The newest nightly run is {newest.state}."
    elif newest.state == PUBLISHED and newest.exit_code:
        yield f"The newest nightly run left models out: exit code {newest.exit_code}."
    published = next((run for run in runs if run.state == PUBLISHED and run.ended_at), None)
    if published is not None and published.ended_at is not None:
        days = (now - parse_as_of(published.ended_at)).days
        if days > OLD_DAYS:
            yield f"The newest published run is {count(days, 'day')} old."


def _of_connection(shown: ConnectionShown, now: datetime) -> Iterator[str]:
    if shown.faults:
        yield f"{shown.name}: {count(len(shown.faults), 'fault')} in its settings."
    letters = given_up(shown)
    if letters:
        yield f"{shown.name}: {count(letters, 'dead letter')}."
    for queue, what in ((shown.inbox, "an event"), (shown.outbox, "a score for the CRM")):
        if queue.oldest_at is not None:
            waited = (now - parse_as_of(queue.oldest_at)).total_seconds()
            if waited > WAITS_LONG_SECONDS:
                yield f"{shown.name}: {what} has waited for {age(waited)}. Is the worker running?"


def given_up(shown: ConnectionShown) -> int:
    """How many dead letters a connection has."""
    letters = shown.dead_letters
    return letters.scores.count + letters.events.count + letters.entities.count
