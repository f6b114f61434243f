"""Finds the entity column of a flat table, and the other columns that are identifiers and no inputs.

An account number must not be an input: trees would learn the accounts and their past outcomes by heart. Rows of one account are
not independent either, so that intervals and folds go by account. An identifier is recognised by its name, or by how its values
repeat: in a table of snapshots each comes once per date, at regular distances; the values of a measure do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.kit.errors import Fault
from features.kit.flat_files.kinds import Settled
from features.kit.flat_files.values import holds_no_value
from training.errors import TrainingRefused

ENTITIES = frozenset(
    [
        "account",
        "acct",
        "client",
        "company",
        "customer",
        "cust",
        "firm",
        "lead",
        "org",
        "organisation",
        "organization",
        "prospect",
        "subscriber",
        "tenant",
    ]
)
"""Words for an entity; a column of such a name holds its identifiers."""
PARTS = frozenset(
    ["contact", "contract", "deal", "household", "member", "opportunity", "person", "policy", "subscription"]
)
"""As `ENTITIES`, but alone these may be a measure or a kind ("contract: monthly")."""
NUMBERS = frozenset(["number", "no", "nr", "num"])
"""After one of the above these make an id ("lead number"); alone they may count something."""
IDS = frozenset(["id", "uuid", "guid", "key", "ref"])
FEWEST_VALUES = 21
"""A column with fewer different values is taken for a code or a measure, whatever its name."""
LEAST_EVIDENCE = 20.0
"""Pairs of rows at one time that must be expected to share a value by chance; when hardly any does, the values are an id."""
LEAST_GAPS = 50
LEAST_NEAR = 0.1
NEAR_SHARE = 0.2
"""A gap between two rows of a value is short when it is below half of the value's median gap. Of an id, the share of short gaps is
at most `NEAR_SHARE` of the share that values assigned at random have (0.29 with continuous times, at least `LEAST_NEAR`)."""
FEWEST_STEADY = 5


@dataclass(frozen=True)
class Entities:
    """The entity of each row, and the columns that are identifiers."""

    column: str | None
    """None when no column names them, or none of them comes again."""
    code: np.ndarray | None
    """(n,) int64: rows about the same one have one number; None with `column`."""
    ids: dict[str, str]
    """Columns that only name things, each with how it is known; no inputs."""

    @property
    def count(self) -> int:
        """Number of different entities; 0 without an entity column."""
        return 0 if self.code is None else int(self.code.max()) + 1


@dataclass(frozen=True)
class _Candidate:
    name: str
    code: np.ndarray
    repeats: bool
    named: bool
    """Its name says that it is an id."""
    of_entity: bool
    """Its name says that it is the id of an entity."""
    steady: bool
    """Its values come once per moment, or at regular distances."""


def find_entities(
    settled: Mapping[str, Settled], order: np.ndarray | None, passed_over: set[str], given: str | None = None
) -> Entities:
    """The entity column, which is the one `given` or else the likeliest, and all columns that are identifiers.

    order : (n,) int64 that grows with time, None without time
    passed_over : columns that are looked at by nobody, such as the label
    """
    found = []
    for name, column in settled.items():
        code = None if name in passed_over else _codes(column)
        if code is None:
            if name == given:
                raise _no_id(name, column)
            continue
        there = column.values.is_valid().to_numpy()
        different = len(np.unique(code[there]))
        named, of_entity = _named(name) if different >= FEWEST_VALUES else (False, False)
        steady = order is not None and different >= FEWEST_STEADY and is_steady(code[there], order[there])
        if name == given or named or steady:
            found.append(_Candidate(name, code, different < there.sum(), named, of_entity, steady))
    ids = {c.name: "by its name" for c in found if c.named}
    chosen = next((c for c in found if c.name == given), None) or max(
        (c for c in found if c.repeats and (c.steady or c.of_entity)),
        key=lambda c: (c.steady and c.named, c.steady, c.of_entity),
        default=None,
    )
    if chosen is not None and chosen.name not in ids:
        ids[chosen.name] = "by --id" if chosen.name == given else "each value comes once per moment, again and again"
    if chosen is None or not chosen.repeats:
        return Entities(None, None, ids)
    return Entities(chosen.name, chosen.code, ids)


def _no_id(name: str, column: Settled) -> TrainingRefused:
    what = {
        "nothing": "it has no value",
        "flag": "it holds flags",
        "time": "it holds times",
        "number": "it holds fractions",
    }
    return TrainingRefused(
        "the table",
        [
            Fault(
                where=f"--id {name}",
                found=what.get(column.kind) or column.why,
                rule="an id is a text or a whole number",
                next_step="name the column that tells whom a row is about, or leave --id out",
            )
        ],
    )


def _words(name: str) -> list[str]:
    """The words of a column's name.

    >>> _words("AccountID"), _words("lead number"), _words("owner_id")
    (['account', 'id'], ['lead', 'number'], ['owner', 'id'])
    """
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _named(name: str) -> tuple[bool, bool]:
    """Whether a column's name says that it holds ids, and whether they are those of an entity.

    >>> _named("customer_no"), _named("campaign id"), _named("number of customers"), _named("contract")
    ((True, True), (True, False), (False, False), (False, False))
    """
    words = _words(name)
    if not words:
        return False, False
    rest = {w for w in words if w not in IDS | NUMBERS}
    marked = words[-1] in IDS | NUMBERS or words[0] in IDS
    of_entity = bool(rest) and rest <= ENTITIES | PARTS and (marked or (len(words) == 1 and words[0] in ENTITIES))
    return of_entity or words[-1] in IDS or words[0] in IDS, of_entity


def _codes(found: Settled) -> np.ndarray | None:
    """(n,) int64 per value, each missing one a value of its own; None for a column that can be no id."""
    if found.kind in ("nothing", "flag", "time") or holds_no_value(found.values.type):
        return None
    values = found.values.to_pandas()
    if found.kind == "number":  # whole numbers with gaps may be read so
        present = values.dropna().to_numpy(dtype=np.float64)
        if (present != np.floor(present)).any():
            return None
    return codes_of(values)


def codes_of(values: pd.Series[Any]) -> np.ndarray:
    """(n,) int64 per value, each missing one a value of its own, because two of them need not be the same."""
    code = np.asarray(pd.factorize(values)[0], dtype=np.int64)
    missing = np.flatnonzero(code < 0)
    code[missing] = code.max(initial=-1) + 1 + np.arange(len(missing))
    return code


def is_steady(code: np.ndarray, order: np.ndarray) -> bool:
    """Do the values come as those of an id do in snapshots: once per moment, and at regular distances?

    >>> week, account = np.repeat(np.arange(40), 30), np.tile(np.arange(30), 40)
    >>> is_steady(account, week), is_steady(np.random.default_rng(0).permutation(account), week)
    (True, False)
    """
    sorted_rows = np.lexsort((order, code))
    value, time = code[sorted_rows], order[sorted_rows]
    same = value[1:] == value[:-1]
    gap = np.diff(time)[same]
    moments = np.unique(order, return_counts=True)[1].astype(float)
    size, n = np.bincount(code).astype(float), len(code)
    by_chance = float((moments * (moments - 1)).sum() * (size * (size - 1)).sum() / max(2 * n * (n - 1), 1))
    together = int((gap == 0).sum())
    if by_chance >= LEAST_EVIDENCE:
        return together <= 0.02 * by_chance and len(gap) > 0
    near, several = _near(gap, value[1:][same])
    if several < LEAST_GAPS:
        return False
    dealt = np.random.default_rng(0).permutation(code)
    sorted_rows = np.lexsort((order, dealt))
    value, time = dealt[sorted_rows], order[sorted_rows]
    same = value[1:] == value[:-1]
    by_lot, _ = _near(np.diff(time)[same], value[1:][same])
    return by_lot >= LEAST_NEAR and near <= NEAR_SHARE * by_lot


def _near(gap: np.ndarray, owner: np.ndarray) -> tuple[float, int]:
    """Share of the distances between rows of one value that are below half of its usual one, and how many there are."""
    grouped = pd.Series(gap).groupby(owner)
    usual, several = grouped.transform("median").to_numpy(), grouped.transform("size").to_numpy() >= 2
    if not several.any():
        return 0.0, 0
    return float(np.mean((gap[several] < usual[several] / 2) | (gap[several] == 0))), int(several.sum())
