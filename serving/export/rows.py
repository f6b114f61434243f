"""Converts rows of a published run to rows of the star: Arrow in, Arrow out; nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.clock import DAY_US
from serving.export import star_schema

NOT_ON_RECORD = "(not on record)"
LEAVING = "already_leaving"
_CENTS = ("arr", "arr_scored", "arr_leaving", "arr_not_scored", "arr_at_risk")
_MILLIONTHS = "expected_to_leave"
_COUNTED = ("accounts", *_CENTS, _MILLIONTHS)
_BY = ("renewal_month", "region", "plan", "industry")


def key(*parts: Any) -> Any:
    """Parts joined by slashes, each a text or an Arrow column of texts."""
    return pc.binary_join_element_wise(*parts, "/")


def put(table: star_schema.StarTable, rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """Columns in the table's types and order: a single value is that of every row, an absent one is null."""
    made = []
    for field in table.schema:
        column = columns.get(field.name)
        if not isinstance(column, (pa.Array, pa.ChunkedArray)):
            column = pa.repeat(pa.scalar(column, field.type), rows)
        made.append(pc.cast(column, field.type))
    return pa.table(made, schema=table.schema)


def score_fact(scores: pa.Table, model_key: str) -> pa.Table:
    """Rows of `score_fact` from rows of the batch (`serving.batch.schema.SCHEMA`) of one model whose entity the key tells."""
    moved = _causes(scores)
    same = [c.name for c in star_schema.SCORE_FACT.columns if c.name in scores.column_names]
    return put(
        star_schema.SCORE_FACT,
        len(scores),
        {
            **{name: scores[name] for name in same},
            "score_key": key(scores["run_id"], scores["model"], scores["entity_id"]),
            "model_key": model_key,
            **moved,
        },
    )


def _causes(scores: pa.Table) -> dict[str, Any]:
    """Points of the score by cause. Before format 3 data and time were guessed, and are left out."""
    change = scores["change"]
    split = change.type.get_field_index("data") >= 0
    causes = {"signals": "data", "time": "time"} if split else {}
    causes |= {"version": "version", "thresholds": "thresholds"}
    return {f"change_by_{column}": pc.struct_field(change, field) for column, field in causes.items()}


def with_entity(facts: pa.Table, entity: str) -> pa.Table:
    """The same rows with the key of the entity's dimension."""
    name = f"{entity}_key"
    place = facts.schema.get_field_index(name)
    return facts.set_column(place, facts.schema.field(name), key(facts["run_id"], facts["entity_id"]))


def reason_fact(scores: pa.Table) -> pa.Table:
    """Rows of `reason_fact`; of an entity without reasons there are none."""
    flat, named = _reasons(scores)
    return put(
        star_schema.REASON_FACT,
        len(flat),
        {**named, **{n: pc.struct_field(flat, n) for n in ("signal", "theme", "value", "category", "effect", "text")}},
    )


def reason_member_fact(scores: pa.Table) -> pa.Table:
    """Rows of `reason_member_fact`; none of a run that an earlier version published, whose reasons have no members."""
    flat, named = _reasons(scores)
    if flat.type.get_field_index("members") < 0:
        return put(star_schema.REASON_MEMBER_FACT, 0, {})
    members = pc.struct_field(flat, "members")
    owner, each = pc.list_parent_indices(members), pc.list_flatten(members)
    of = {name: column.take(owner) for name, column in named.items()}
    return put(
        star_schema.REASON_MEMBER_FACT,
        len(each),
        {**of, "member": _numbered(owner), **{n: pc.struct_field(each, n) for n in ("signal", "effect")}},
    )


def _reasons(scores: pa.Table) -> tuple[pa.Array, dict[str, pa.Array]]:
    """All reasons in one table, with the key of their owner."""
    reasons = scores["reasons"].combine_chunks()
    owner = pc.list_parent_indices(reasons)
    own = scores.select(["run_id", "as_of", "model", "entity_id"]).take(owner)
    return pc.list_flatten(reasons), {
        "score_key": key(own["run_id"], own["model"], own["entity_id"]),
        "rank": _numbered(owner),
        "run_id": own["run_id"],
        "as_of": own["as_of"],
    }


def _numbered(owner: pa.Array) -> pa.Array:
    """(m,) int64: 1, 2 ... within each owner; rows of one owner are adjacent."""
    places = owner.to_numpy()
    first = np.r_[True, places[1:] != places[:-1]][: len(places)]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(places)), 0)) if len(places) else places
    return pa.array(np.arange(len(places)) - starts + 1, pa.int64())


def account_dim(signals: pa.Table, run_id: str, names: pa.Table | None) -> pa.Table:
    """Rows of `account_dim` from rows of the run's panel; `names` has entity_id and name."""
    renewal = _renewal(signals)
    return put(
        star_schema.ACCOUNT_DIM,
        len(signals),
        {
            **_same(star_schema.ACCOUNT_DIM, signals),
            "account_key": key(pa.scalar(run_id), signals["entity_id"]),
            "run_id": run_id,
            "account_id": signals["entity_id"],
            "name": None
            if names is None
            else names["name"].take(pc.index_in(signals["entity_id"], names["entity_id"])),
            "standing": signals["eligibility"],
            "arr": signals["value"],
            "renewal_date": renewal,
            "renewal_month": None if renewal is None else pc.strftime(renewal, "%Y-%m"),
        },
    )


def lead_dim(signals: pa.Table, run_id: str, _names: pa.Table | None) -> pa.Table:
    """Rows of `lead_dim` from rows of the run's panel."""
    return put(
        star_schema.LEAD_DIM,
        len(signals),
        {
            **_same(star_schema.LEAD_DIM, signals),
            "lead_key": key(pa.scalar(run_id), signals["entity_id"]),
            "run_id": run_id,
            "lead_id": signals["entity_id"],
            "standing": signals["eligibility"],
            "open_deal_value": signals["value"],
        },
    )


DIMENSIONS = {"account": account_dim, "lead": lead_dim}


def _same(table: star_schema.StarTable, signals: pa.Table) -> dict[str, Any]:
    """Signals that are columns of the dimension under their own names; NaN is null."""
    found: dict[str, Any] = {}
    for column in table.columns:
        if column.name in signals.column_names:
            values = signals[column.name]
            if pa.types.is_floating(values.type):
                values = pc.if_else(pc.is_finite(values), values, None)
            found[column.name] = values
    return found


def _renewal(signals: pa.Table) -> Any:
    """The day on which the agreed term ends. The signal counts whole days from as_of, rounded down."""
    if "days_to_renewal" not in signals.column_names:
        return None
    away = signals["days_to_renewal"]
    whole = pc.cast(pc.if_else(pc.is_finite(away), away, None), pa.int64())
    moment = pc.add(pc.cast(signals["as_of"], pa.int64()), pc.multiply(whole, DAY_US))
    return pc.cast(pc.cast(moment, pa.timestamp("us")), pa.date32())


class AtRisk:
    """Sums `arr_at_risk` part by part, in whole cents and millionths, so that the order of the parts does not matter."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, accounts: pa.Table, scores: pa.Table, inside: Any = None) -> None:
        """Adds rows of `account_dim` and `score_fact` of the same accounts in the same order. `inside`, one flag per
        row, says who is in the model's population (None: all). Others are not counted, so that the models of one
        outcome add up.

        `inside`, an Arrow column of as many flags, says who is in the model's population (None: everybody). The others are another
        model's, or nobody's: they are not counted, so that models of one outcome add up.
        """
        if not accounts["account_key"].equals(scores["account_key"]):
            raise ValueError("the accounts are not those of the scores, row for row")
        arr = _whole(pc.fill_null(accounts["arr"], 0.0), 100)
        scored, leaving = pc.is_valid(scores["probability"]), pc.equal(scores["no_score"], LEAVING)
        leaving = pc.fill_null(leaving, False)
        zero = pa.scalar(0, pa.int64())
        table = pa.table(
            {
                **{name: pc.fill_null(accounts[name], NOT_ON_RECORD) for name in _BY},
                "accounts": pa.repeat(pa.scalar(1, pa.int64()), len(accounts)),
                "arr": arr,
                "arr_scored": pc.if_else(scored, arr, zero),
                "arr_leaving": pc.if_else(leaving, arr, zero),
                "arr_not_scored": pc.if_else(pc.or_(scored, leaving), zero, arr),
                "arr_at_risk": _whole(pc.fill_null(scores["value_at_risk"], 0.0), 100),
                _MILLIONTHS: _whole(pc.fill_null(scores["probability"], 0.0), 1_000_000),
            }
        )
        # An account that pays nothing has no revenue at risk. Without contracts in the source, accounts with a score count.
        paying = pc.or_(pc.greater(arr, 0), pc.and_(scored, pc.is_null(accounts["arr"])))
        self._parts.append(self._sum(table.filter(paying if inside is None else pc.and_(paying, inside))))
        if len(self._parts) == 64:
            self._parts = [self._sum(pa.concat_tables(self._parts))]

    def rows(self, run_id: str, as_of: Any, model: str) -> pa.Table:
        """Sorted by month and segment."""
        if not self._parts:
            return put(star_schema.ARR_AT_RISK, 0, {})
        found = self._sum(pa.concat_tables(self._parts)).sort_by([(name, "ascending") for name in _BY])
        columns = {name: found[name] for name in (*_BY, "accounts")}
        money = {name: pc.divide(pc.cast(found[name], pa.float64()), 100.0) for name in _CENTS}
        leavers = pc.divide(pc.cast(found[_MILLIONTHS], pa.float64()), 1e6)
        fixed = {"run_id": run_id, "as_of": as_of, "model": model, _MILLIONTHS: leavers}
        return put(star_schema.ARR_AT_RISK, len(found), {**columns, **money, **fixed})

    @staticmethod
    def _sum(table: pa.Table) -> pa.Table:
        added = table.group_by(list(_BY)).aggregate([(name, "sum") for name in _COUNTED])
        return added.select([*_BY, *(f"{name}_sum" for name in _COUNTED)]).rename_columns([*_BY, *_COUNTED])


def _whole(values: Any, scale: int) -> Any:
    return pc.cast(pc.round(pc.multiply(values, float(scale))), pa.int64())


def scored_ids(facts: pa.Table, model: str) -> list[str]:
    """Entities of `score_fact` rows that have a score."""
    wanted = pc.and_(pc.equal(facts["model"], model), pc.is_valid(facts["probability"]))
    ids: list[str] = facts.filter(wanted)["entity_id"].to_pylist()
    return ids
