"""Turns a CRM event into a new version of a row, and finds the entities that the row belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select

from features.kit.clock import from_us
from features.panel import lead_company
from features.sources.overlay import custom_column, readable
from features.sources.schema import NO_SIGNALS, TABLES
from features.sources.source import Source
from features.sources.suppression import PARENTS
from features.sources.typed_values import Unreadable, coerce, coerce_custom
from serving.connections.config import ConnectionConfig
from serving.inbox.repository import InboxEvent
from serving.inbox.sealed import Seal
from serving.store.tables import changes

Entity = tuple[str, str]
"""("account" | "lead", id)."""


class CannotApply(Exception):
    """Raised when an event cannot become a row; the message names columns and rules, never a value."""


@dataclass(frozen=True)
class Change:
    """A version of one row: the columns that changed, as the CRM wrote them."""

    table: str
    key: str
    event_us: int
    known_us: int
    columns: Mapping[str, str | None]
    event_id: int

    @property
    def is_entity(self) -> bool:
        return self.table in ("accounts", "leads")


def change_of(event: InboxEvent, connection: ConnectionConfig) -> Change:
    """Raises `CannotApply` when the connection no longer maps the object, or a value does not fit its column."""
    mapped = connection.objects.get(event.object_type)
    if mapped is None:
        raise CannotApply(f"the connection has no [objects.{event.object_type}] any more")
    columns: dict[str, str | None] = {}
    if event.property is not None:
        # An unmapped property is kept under its own name; canonical columns are set only by the mapping.
        name = mapped.columns.get(event.property, event.property)
        value = event.value
        if value is not None:
            value = mapped.values.get(name, {}).get(value, value)
        column = TABLES[mapped.table].column(name) if event.property in mapped.columns else None
        if column is None and TABLES[mapped.table].column(name) is not None:
            name = f"crm_{name}"
        if column is not None:
            try:
                read = coerce(column, value)
            except Unreadable as error:
                raise CannotApply(f"{mapped.table}.{name}: the value is {error.rule}") from None
            if read is None and column.required:
                raise CannotApply(f"{mapped.table}.{name}: a value is required and there is none")
            if read is not None and name in PARENTS.values():
                value = mapped.key_of(str(read))  # the CRM names the parent as it names every record of this kind
        columns[name] = value
    # An event cannot happen after we learnt of it: a sender's fast clock would hide its own event.
    event_us = min(event.occurred_at, event.received_at)
    return Change(mapped.table, mapped.key_of(event.object_id), event_us, event.received_at, columns, event.id)


def parent_of(change: Change) -> str | None:
    """The account that a change makes the parent of another; None when it is about something else."""
    return change.columns.get("parent_id") if change.table == "accounts" else None


def without_parent(change: Change) -> Change:
    """The change, with no parent in the place of one."""
    return replace(change, columns={**change.columns, "parent_id": None})


def check_custom(source: Source, change: Change, seal: Seal) -> None:
    """Raises `CannotApply` when a value does not fit a column that the source has beyond the canonical ones."""
    for name, value in change.columns.items():
        if TABLES[change.table].column(name) is None:
            column = custom_column(source, change.table, name)
            if column is not None:
                try:
                    coerce_custom(column, None if value is None else seal.open(value))
                except Unreadable as error:
                    raise CannotApply(f"{change.table}.{name}: the value is {error.rule}") from None
                except ValueError as error:
                    raise CannotApply(f"{change.table}.{name}: {error}") from None


def is_signal(source: Source, change: Change) -> bool:
    """Whether the change can alter a signal: it is of a canonical column or of a custom column of the source. A new
    row always can.
    """
    return not change.columns or any(_is_read(source, change.table, name) for name in change.columns)


def _is_read(source: Source, table: str, name: str) -> bool:
    return TABLES[table].column(name) is not None or name in source.custom.get(table, ())


def save(connection: Connection, source_name: str, new: Iterable[tuple[Change, str | None, str | None]]) -> None:
    """Stores changes with the account and the lead that each belongs to, in the caller's transaction."""
    rows = [
        {
            "source": source_name,
            "table_name": change.table,
            "key": change.key,
            "event_time": change.event_us,
            "known_time": change.known_us,
            "columns": msgspec.json.encode(dict(change.columns)),
            "account_id": account,
            "lead_id": lead,
            "inbox_id": change.event_id,
        }
        for change, account, lead in new
    ]
    if rows:
        connection.execute(insert(changes), rows)


@dataclass(frozen=True)
class Told:
    """Stored changes of some entities."""

    by_table: Mapping[str, Sequence[Mapping[str, Any]]]
    """Rows by table, as `features.sources.overlay.overlay` takes them."""
    set_aside: Mapping[int, str]
    """Events whose change cannot be read, and why; the others are laid over the source without them."""


def load(
    connection: Connection, source: Source, source_name: str, accounts: Sequence[str], leads: Sequence[str], seal: Seal
) -> Told:
    """Every change of these accounts and leads. Changes that an earlier version stored unchecked are checked here."""
    found: dict[int, tuple[str, int | None, dict[str, Any]]] = {}
    set_aside: dict[int, str] = {}
    for part_accounts, part_leads in _parts(accounts, leads):
        belongs = []
        if part_accounts:
            belongs.append(changes.c.account_id.in_(part_accounts))
        if part_leads:
            belongs.append(changes.c.lead_id.in_(part_leads))
        # A row that moved between companies belongs to both, with its whole history.
        keys = (
            select(changes.c.table_name, changes.c.key)
            .where(changes.c.source == source_name, or_(*belongs))
            .distinct()
            .subquery()
        )
        query = (
            select(changes)
            .join(keys, and_(changes.c.table_name == keys.c.table_name, changes.c.key == keys.c.key))
            .where(changes.c.source == source_name)
        )
        for row in connection.execute(query).mappings():
            try:
                columns = msgspec.json.decode(row["columns"])
                known = {"event_time": from_us(row["event_time"]), "known_time": from_us(row["known_time"])}
                key = TABLES[row["table_name"]].key
                read = {
                    n: _opened(seal, row["table_name"], n, v)
                    for n, v in columns.items()
                    if _is_read(source, row["table_name"], n)
                }
            except (ValueError, OverflowError, KeyError, AttributeError):
                if row["inbox_id"] is not None:
                    set_aside[row["inbox_id"]] = "its stored change cannot be read"
                continue
            if read or not columns:
                found[row["id"]] = (row["table_name"], row["inbox_id"], {str(key): row["key"], **known, **read})
    by_table: dict[str, list[Mapping[str, Any]]] = {}
    of_table: dict[str, list[tuple[int | None, dict[str, Any]]]] = {}
    for _, (table, event_id, change) in sorted(found.items()):
        of_table.setdefault(table, []).append((event_id, change))
    for table, changes_of in of_table.items():
        if not source.has(table):
            continue  # kept in case the source gets the column again
        by_table[table], bad = readable(source, table, [change for _, change in changes_of])
        set_aside |= {event: why for place, why in bad if (event := changes_of[place][0]) is not None}
    return Told({table: rows for table, rows in by_table.items() if rows}, set_aside)


def _opened(seal: Seal, table: str, name: str, value: Any) -> Any:
    """The value of a column. Those of custom columns are sealed, and those that were custom in an earlier version."""
    sealed = TABLES[table].column(name) is None or name in NO_SIGNALS
    return seal.open(value) if isinstance(value, str) and sealed else value


def _parts(
    accounts: Sequence[str], leads: Sequence[str], size: int = 400
) -> Iterable[tuple[Sequence[str], Sequence[str]]]:
    for start in range(0, max(len(accounts), len(leads)), size):
        yield accounts[start : start + size], leads[start : start + size]


class Links:
    """Finds the account and the lead of a row in the source, the stored changes and the changes of this round."""

    def __init__(self, source: Source, connection: Connection, source_name: str) -> None:
        self._source, self._connection, self._name = source, connection, source_name
        self._now: dict[tuple[str, str], tuple[str | None, str | None]] = {}

    def prepare(self, table: str, keys: Sequence[str]) -> None:
        """Looks up the present owners of these rows in one query."""
        own = {"accounts": 0, "leads": 1}.get(table)
        for key in keys:
            self._now[table, key] = (key, None) if own == 0 else (None, key) if own == 1 else (None, None)
        columns = [c for c in ("account_id", "lead_id") if c != TABLES[table].key and self._source.has(table, c)]
        if columns and keys:
            key_column = TABLES[table].key
            marks = ", ".join("?" * len(keys))
            newest = ", ".join(f"arg_max({c}, event_us)" for c in columns)
            rows = self._source.connection.execute(
                f"SELECT {key_column}, {newest} FROM {table} WHERE {key_column} IN ({marks}) GROUP BY 1", list(keys)
            ).fetchall()
            for key, *values in rows:
                self._set(table, key, dict(zip(columns, values, strict=True)))
        query = (
            select(changes.c.key, changes.c.account_id, changes.c.lead_id)
            .where(changes.c.source == self._name, changes.c.table_name == table, changes.c.key.in_(keys))
            .order_by(changes.c.event_time, changes.c.id)
        )
        for key, account, lead in self._connection.execute(query):
            self._set(table, key, {"account_id": account, "lead_id": lead})

    def follow(self, change: Change) -> tuple[str | None, str | None, set[Entity]]:
        """Returns the account and lead of a change, and the entities that it makes dirty: the owners before and after
        it.
        """
        before = self._now[change.table, change.key]
        self._set(change.table, change.key, change.columns)
        account, lead = self._now[change.table, change.key]
        touched: set[Entity] = {("account", a) for a in (before[0], account) if a}
        touched |= {("lead", each) for each in (before[1], lead) if each}
        if change.table == "leads":
            # No signal of an account reads its leads.
            touched = {e for e in touched if e[0] == "lead"}
        return account, lead, touched

    def leads_of(self, accounts: Sequence[str]) -> set[Entity]:
        """Leads of these accounts: their company decides some of their signals, and whether they are scored at all."""
        return {("lead", lead) for lead in lead_company.leads_of(self._source, accounts)} if accounts else set()

    def accounts_of(self, leads: Sequence[str]) -> list[str]:
        """Accounts that these leads belong to."""
        return lead_company.companies_of(self._source, leads) if leads else []

    def _set(self, table: str, key: str, values: Mapping[str, str | None]) -> None:
        account, lead = self._now[table, key]
        if table != "accounts":
            account = values.get("account_id") or account
        if table != "leads":
            lead = values.get("lead_id") or lead
        self._now[table, key] = (account, lead)
