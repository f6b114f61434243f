"""What `python -m features check` finds in a source, asked by the two models of the demo: a third would cost as much as each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from features.readiness.line import Line
from features.readiness.report import usability
from features.sources.loader import open_source
from features.sources.source import Source
from models.catalog import DEMO, MODELS
from tests.kit.company import at

ASKED = tuple(MODELS[name] for name in DEMO)


def checked(source: Source) -> list[Line]:
    return usability(source, ASKED)


def lines(source: Source, table: str, rule: str) -> list[Line]:
    """What is found in a table by the rules that have `rule` in their text."""
    return [line for line in checked(source) if line.table == table and rule in line.rule]


def account(name: str = "a", **columns: Any) -> dict[str, Any]:
    return {"account_id": name, "event_time": at("2024-01-01"), **columns}


def contract(day: str, mrr: float, status: str = "active", **columns: Any) -> dict[str, Any]:
    """One version of the contract `s` of account `a`."""
    return {"subscription_id": "s", "account_id": "a", "event_time": at(day), "status": status, "mrr": mrr, **columns}


def wrapped(folder: Path, table: str, query: str) -> Source:
    """The source again, with a table's SELECT put into a query as its advice says."""
    path = folder / f"{table}.sql"
    path.write_text(query.replace("(THIS SELECT)", f"({path.read_text()})"))
    return open_source(str(folder), folder)


def query_of(line: Line) -> str:
    """The query that an advice has, up to the punctuation after it."""
    found = re.search(r"SELECT .*\(THIS SELECT\)(?: (?:WHERE|QUALIFY) (?:'[^']*'|[^;:'])*)?", line.what_to_do)
    assert found, line.what_to_do
    return re.split(r"[,;] (?:with|which|and|they) ", found[0])[0]
