"""Audits the files behind a source: columns that know the outcome, whether or not a SELECT reads them.

The signals show only what a source's SELECTs let through. A column that is left out today may be read tomorrow, and
what a SELECT reads may lack the time at which it was known. Each file that a
SELECT names is read once (a sample of a large one); its columns are looked at

- as rows that are completed later (`features.audit.lifecycle`), unless the file already holds dated versions;
- beside the outcome, as they stand in the newest row of each entity that began before its `as_of`;
- by where they come from: in a file that only the outcome is read from, every column is known with the outcome.

None of these is an input of a model yet, so none is of more than medium severity; what is passed on as a signal is judged
as a signal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from features.audit import leaks, lifecycle
from features.audit.finding import AuditedTable, Finding, Rule
from features.outcomes.asked import Asked
from features.sources.casts import quote
from features.sources.query_files import everything_from, nodes, parsed, texts
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source

SAMPLED_ROWS = 20_000
KEY_SHARE = 0.95
"""A column of which so many values are ids of the entity says to whom a row belongs."""
WITH_OUTCOME: tuple[Rule, ...] = (
    leaks.strong_columns,
    leaks.presence,
    leaks.deciding_values,
    leaks.arrive_together,
    leaks.twin_vocabularies,
)
NESTED = r"\[|^(STRUCT|MAP|UNION|VARIANT)"
"""Types of columns that hold more than one value: no rule compares them."""
OUR_TIMES = ("event_time", "known_time")


@dataclass
class RawFile:
    """One file, or set of files, that SELECTs of a source read."""

    name: str
    select: str
    tables: set[str] = field(default_factory=set)
    """The canonical tables that are made of it."""
    read: dict[str, set[str]] = field(default_factory=dict)
    """Per table the columns that its SELECT names; `*` when it takes all."""

    def reads(self, column: str) -> bool:
        return any({column.lower(), "*"} & columns for columns in self.read.values())


def raw_findings(source: Source, asked: Asked, entities: pd.DataFrame | None) -> list[Finding]:
    """Findings about the columns of a source's files, named `file.column`.

    `entities` has entity_id, as_of_us and the outcome `y` per entity, None when the outcome of too few is known.
    """
    found: list[Finding] = []
    for file in raw_files(source):
        described = source.query(f"DESCRIBE {file.select}")
        columns = [row[0] for row in described if not re.search(NESTED, row[1])]
        labels_only = all(TABLES[table].kind == "label" for table in file.tables)
        if labels_only:
            found += _only_with_outcome(source, asked, file, columns)
            continue
        key = _entity_key(source, asked, file, columns)
        hidden = {key, *OUR_TIMES, *(c for t in file.read if TABLES[t].kind == "label" for c in file.read[t])}
        inputs = [c for c in columns if c not in hidden and c.lower() not in hidden]
        if not _versioned(source, file, columns):
            found += _at_rest(source, asked, file, inputs)
        if key is not None and entities is not None:
            # What a SELECT passes on is judged as a signal, as it was known at as_of; here is what it leaves out.
            kept = [c for c in inputs if not file.reads(c)]
            found += _beside_outcome(source, file, kept, key, entities) if kept else []
    return found


def raw_files(source: Source) -> list[RawFile]:
    """The files that the SELECTs of a source name, with what is read of each."""
    files: dict[str, RawFile] = {}
    for table in source.tables:
        text = source.statement(table)
        if text is None or TABLES[table].kind == "reference":  # figures of the company itself: no entity, no outcome
            continue
        tree = parsed(source.connection, text)
        named = {name for node in nodes(tree) for name in _columns_of(node)}
        for node in nodes(tree):
            if node.get("type") not in ("TABLE_FUNCTION", "BASE_TABLE"):
                continue
            path = next((t for t in texts(node) if "." in t), None)
            if path is None or not _is_readable(source, select := everything_from(source.connection, node)):
                continue
            file = files.setdefault(path, RawFile(_name_of(PurePath(path)), select))
            file.tables.add(table)
            file.read.setdefault(table, set()).update(named)
    return list(files.values())


def _name_of(path: PurePath) -> str:
    """The file's name without its endings; of a pattern the folder's.

    >>> _name_of(PurePath("data/tickets.csv.gz")), _name_of(PurePath("data/usage/*.parquet"))
    ('tickets', 'usage')
    """
    return path.parent.name if "*" in path.name else path.name.split(".")[0]


def _columns_of(node: dict[str, Any]) -> list[str]:
    if node.get("class") == "COLUMN_REF":
        return [str(node["column_names"][-1]).lower()]
    if node.get("class") == "STAR":
        return ["*"]
    return [str(name).lower() for name in node.get("using_columns") or ()]


def _is_readable(source: Source, select: str) -> bool:
    try:
        source.query(f"DESCRIBE {select}")
    except duckdb.Error:  # the name of a query of its own (WITH), or of another table: no file
        return False
    return True


def _entity_key(source: Source, asked: Asked, file: RawFile, columns: list[str]) -> str | None:
    """The column that holds ids of the entity, found by its values."""
    own, key = ENTITIES[asked.entity], f"{asked.entity}_id"
    tests = ", ".join(
        f"count(*) FILTER (CAST({quote(c)} AS VARCHAR) IN (SELECT {quote(key)} FROM {quote(own)})) / greatest(count({quote(c)}), 1)"
        for c in columns
    )
    shares = source.query(f"SELECT {tests} FROM ({file.select} LIMIT {SAMPLED_ROWS})")[0]
    share, column = max(zip(shares, columns, strict=True), key=lambda pair: pair[0])
    return column if share >= KEY_SHARE else None


def _versioned(source: Source, file: RawFile, columns: list[str]) -> bool:
    """Whether a thing of the file has more than one row: then it tells its changes itself, each with its time."""
    keys = {TABLES[t].key for t in file.tables if TABLES[t].kind == "state"} & set(columns)
    return any(
        source.query(f"SELECT count(*) > count(DISTINCT {quote(str(key))}) FROM ({file.select})")[0][0] for key in keys
    )


def _at_rest(source: Source, asked: Asked, file: RawFile, inputs: list[str]) -> list[Finding]:
    """What a row shows by itself: columns set later than its begin, and another record of the outcome by its name."""
    if not inputs:
        return []
    picked = ", ".join(map(quote, inputs))
    rows = source.connection.sql(
        f"SELECT {picked} FROM ({file.select}) USING SAMPLE reservoir({SAMPLED_ROWS} ROWS) REPEATABLE (0)"
    ).df()
    nothing = np.zeros(len(rows), dtype=int)
    table = AuditedTable(rows, nothing, np.arange(len(rows)), False, f"{asked.outcome.flag} {asked.name}")
    rules: tuple[Rule, ...] = (lifecycle.completed_later, lifecycle.measured_lengths, leaks.named_like_outcome)
    return [_of_file(file, f) for rule in rules for f in rule(table)]


def _beside_outcome(source: Source, file: RawFile, kept: list[str], key: str, entities: pd.DataFrame) -> list[Finding]:
    """Columns that no SELECT reads, in the newest row of each entity that began before its `as_of`."""
    source.connection.register("audited_entities", pa.Table.from_pandas(entities, preserve_index=False))
    sample = source.connection.sql(f"SELECT * FROM ({file.select}) LIMIT {SAMPLED_ROWS}").df()
    whole = AuditedTable(sample, np.zeros(len(sample), dtype=int), np.arange(len(sample)), False)
    moments = lifecycle.parsed(whole)
    begin = lifecycle.begin_of(whole, moments)
    single = next(iter(moments), None) if len(moments) == 1 else None
    dated = begin.column if begin is not None else single
    began = f"epoch_us(TRY_CAST(r.{quote(dated)} AS TIMESTAMP))" if dated is not None else "0"
    rows = source.connection.sql(
        f"SELECT {', '.join('r.' + quote(c) for c in kept)}, e.y AS outcome_asked "
        f"FROM ({file.select}) r JOIN audited_entities e ON CAST(r.{quote(key)} AS VARCHAR) = e.entity_id "
        + (f"WHERE {began} < e.as_of_us " if dated is not None else "")
        + f"QUALIFY row_number() OVER (PARTITION BY e.entity_id ORDER BY {began} DESC, hash(r)) = 1 ORDER BY e.entity_id"
    ).df()
    outcome = rows.pop("outcome_asked").to_numpy(dtype=int)
    if min(outcome.sum(), len(outcome) - outcome.sum()) < 10:
        return []
    table = AuditedTable(rows, outcome, np.arange(len(rows)), False)
    return [_of_file(file, f) for rule in WITH_OUTCOME for f in rule(table)]


def _only_with_outcome(source: Source, asked: Asked, file: RawFile, columns: list[str]) -> list[Finding]:
    key = _entity_key(source, asked, file, columns)
    rest = [c for c in columns if c != key]
    rows = source.query(f"SELECT count(*) FROM ({file.select})")[0][0]
    evidence = f"the outcome is read from this file ({rows:,} rows) and nothing else is: its columns are known with the outcome"
    advice = "of the event to be predicted none may be an input; of earlier ones only as of their own time"
    names = tuple(f"{file.name}.{c}" for c in rest)
    return [Finding("known_with_outcome", "medium", names, evidence, advice, {"rows": rows})] if rest else []


def _of_file(file: RawFile, finding: Finding) -> Finding:
    """The finding with the file in the names of its columns, and with what the source makes of them."""
    passed = [c for c in finding.columns if file.reads(c)]
    said = (
        f"; {', '.join(sorted(file.tables))} reads {', '.join(passed)}: check that it comes with the time at which it was known"
        if passed
        else "; the source leaves it out: keep it so"
    )
    return replace(
        finding,
        severity="medium" if finding.severity == "high" else finding.severity,
        columns=tuple(f"{file.name}.{c}" for c in finding.columns),
        evidence=finding.evidence + said,
    )
