"""Answers lists and pages of single entities from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import Connection

from features.kit.clock import from_us, iso
from models.definition import Model
from serving.decisions import repository as history
from serving.decisions.schemas import shown_record
from serving.eligibility import NoScore, detail
from serving.errors import NotFound
from serving.lists import cursor, filters, repository
from serving.lists.cursor import Position, Signer
from serving.lists.filters import Asked, ListQuery
from serving.lists.schemas import (
    EntityAnswer,
    FirstReason,
    LeadOfAccount,
    ListAnswer,
    ListRow,
    ModelView,
    NoteShown,
    Relative,
)
from serving.notes import repository as notes
from serving.overrides.schemas import shown_override
from serving.privacy.cache import Directives
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.store.connect import Store

Params = Sequence[tuple[str, str]]
CSV_PAGE = 1_000
"""Rows that a CSV holds in memory; each page is a transaction of its own, so that no slow reader holds one open."""
MOST_CHILDREN = MOST_NOTES = 100


@dataclass(frozen=True)
class Around:
    """What rows are shown with, besides the store."""

    directives: Directives
    now_us: int


def asked_for(store: Store, model: Model, params: Params, signer: Signer) -> tuple[Asked, Position | None]:
    """The list and the position that query parameters ask for. A cursor alone brings its own filters and sort.

    Raises `Invalid` with every fault, and for a cursor that is not of this list. Raises `StoreAway`.
    """
    asked = _read(store, model, params)
    if asked.cursor is None:
        return asked, None
    position = cursor.read(asked.cursor, signer)
    if not asked.given:
        of_cursor = parse_qsl(position.list, keep_blank_values=True)
        if dict(of_cursor).get("model") != model.name:
            raise cursor.bad("it is of a list with another model, filters or sort")
        asked.query = _read(store, model, [pair for pair in of_cursor if pair[0] != "model"]).query
    cursor.belongs(position, asked.query.canonical())
    return asked, position


def segment_columns(store: Store, entity: str) -> list[str]:
    """The segment columns of an entity kind. Raises `StoreAway`."""
    with store.read() as connection:
        return repository.segment_columns(connection, entity)


def _read(store: Store, model: Model, params: Params) -> Asked:
    wanted = any(name.startswith(filters.SEGMENT) for name, _ in params)
    return filters.read(model, params, segment_columns(store, model.entity) if wanted else ())


def page(store: Store, asked: Asked, position: Position | None, signer: Signer, around: Around) -> ListAnswer:
    """One page of a list. Raises `StoreAway`."""
    rows, after = _page(store, asked.query, position, asked.limit, around)
    query = asked.query
    order = "desc" if query.descending else "asc"
    token = None if after is None else cursor.write(after, signer)
    return ListAnswer(query.model, query.entity, query.sort, order, rows, token)


def all_rows(store: Store, query: ListQuery, position: Position | None, around: Around) -> Iterator[list[ListRow]]:
    """All rows of a list after a position, in parts. A row is as it was when its part was read. Raises `StoreAway`."""
    while True:
        rows, position = _page(store, query, position, CSV_PAGE, around)
        yield rows
        if position is None:
            return


def _page(
    store: Store, query: ListQuery, position: Position | None, limit: int, around: Around
) -> tuple[list[ListRow], Position | None]:
    with store.read() as connection:
        found = repository.page(connection, query, position, limit, around.now_us)
        ids = [row["entity_id"] for row in found.rows]
        told = profiles.fetch(connection, query.entity, ids)
        acted = repository.acted_at(connection, query.entity, ids)
    directives = around.directives
    shown = [
        _shown(row, told.get(row["entity_id"]), acted.get(row["entity_id"]), query.model, around)
        for row in found.rows
        # Erasures and objections delete the row; a row that a run is writing at this moment is left out here.
        if not directives.may_not_score(query.entity, row["entity_id"])
    ]
    return shown, found.next


def _shown(row: repository.Row, profile: Profile | None, acted_us: int | None, model: str, around: Around) -> ListRow:
    override = around.directives.override(model, row["entity_id"], around.now_us)
    no_score = row["no_score"]
    p = profile or Profile("", row["entity_id"], 0)
    return ListRow(
        row["entity_id"],
        p.name,
        p.domain,
        p.owner,
        p.parent_id,
        p.target_tier,
        dict(p.segments),
        p.arr,
        _time(p.renewal_at),
        p.plan,
        iso(from_us(row["as_of"])),
        row["version"],
        row["probability"],
        row["score"],
        row["band"],
        row["change"],
        row["value"],
        row["at_stake"],
        None if no_score is None else NoScore(no_score, detail(no_score)),
        None if row["first_text"] is None else FirstReason(row["first_signal"], row["first_theme"], row["first_text"]),
        _time(_later(acted_us, p.acted_at)),
        None if override is None else shown_override(override),
    )


def entity(store: Store, definitions: Iterable[Model], kind: str, entity_id: str, around: Around) -> EntityAnswer:
    """All about one account or lead. Raises `NotFound` when nothing is known of it, or it was erased; `StoreAway`."""
    models = list(definitions)
    own = [each for each in models if each.entity == kind]
    with store.read() as connection:
        told = profiles.fetch(connection, kind, [entity_id]).get(entity_id)
        changes = repository.changes_of(connection, [each.name for each in own], entity_id)
        of_it = notes.of_entity(connection, kind, entity_id, MOST_NOTES)
        acted = repository.acted_at(connection, kind, [entity_id]).get(entity_id)
        parent, children, leads = None, [], []
        if told is not None and told.parent_id is not None:
            above = profiles.fetch(connection, "account", [told.parent_id]).get(told.parent_id)
            parent = Relative(told.parent_id, above.name if above else None)
        if told is not None and kind == "account":
            below = repository.children_of(connection, "account", entity_id, MOST_CHILDREN)
            children = [Relative(each, name) for each, name in below]
            of_leads = [each.name for each in models if each.entity == "lead"]
            leads = _leads(connection, of_leads, entity_id)
    if around.directives.erased.has(kind, entity_id):
        raise _unknown(kind)
    views = []
    for model in own:
        record = history.newest(store, kind, entity_id, model.name, 1, around.now_us)
        override = around.directives.override(model.name, entity_id, around.now_us)
        views.append(
            ModelView(
                model.name,
                model.title,
                changes.get(model.name),
                shown_record(record[0]) if record else None,
                None if override is None else shown_override(override),
            )
        )
    if told is None and not of_it and not any(view.score or view.override for view in views):
        raise _unknown(kind)
    p = told or Profile(kind, entity_id, 0)
    return EntityAnswer(
        kind,
        entity_id,
        p.name,
        p.domain,
        p.owner,
        p.target_tier,
        dict(p.segments),
        p.arr,
        _time(p.renewal_at),
        p.plan,
        None if told is None else iso(from_us(told.as_of)),
        _time(_later(acted, p.acted_at)),
        views,
        [
            NoteShown(n.id, n.kind, n.word, iso(from_us(n.event_at)), iso(from_us(n.known_at)), n.source, n.note)
            for n in of_it
        ],
        parent,
        children,
        leads,
    )


def _leads(connection: Connection, models: Sequence[str], account: str) -> list[LeadOfAccount]:
    below = repository.children_of(connection, "lead", account, MOST_CHILDREN)
    scores = repository.standing_of(connection, models, [each for each, _ in below])
    nothing = {"model": None, "score": None, "band": None}
    return [
        LeadOfAccount(each, name, row["model"], row["score"], row["band"])
        for each, name in below
        for row in [scores.get(each, nothing)]
    ]


def _unknown(kind: str) -> NotFound:
    return NotFound(
        f"no_such_{kind}",
        f"no {kind} of this id has a profile or a score: look for it with GET /v1/{{model}}/scores?q=, or wait for the "
        "next nightly run",
    )


def _later(one: int | None, other: int | None) -> int | None:
    return max((us for us in (one, other) if us is not None), default=None)


def _time(us: Any) -> str | None:
    return None if us is None else iso(from_us(us))
