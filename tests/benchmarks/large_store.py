"""Fills a store with the accounts and leads of a large company: `python -m tests.benchmarks.large_store URL`.

200,000 accounts and 1,000,000 leads with profiles, signals, search terms, the decision records of two nightly runs, the
list rows that those runs leave, and a note of an action about every tenth. The store must be migrated and empty. Everything comes from one seed. Rows go in by
the driver's own bulk way, without indexes, which are made at the end.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, DropIndex

from features.kit.clock import DAY_US, parse_as_of, to_us
from serving.lists.latest import row as latest_row
from serving.store.connect import Store, open_store
from serving.store.profile_copies import copies_of
from serving.store.search_terms import terms_of
from serving.store.tables import decisions, latest_scores, notes, profile_terms, profiles, signals
from tests.kit.list_rows import REASONS

AS_OF = "2026-03-01T06:00:00Z"
CHUNK = 20_000
FIRST = [
    "Acme",
    "Alpine",
    "Amber",
    "Anchor",
    "Apex",
    "Arbor",
    "Arctic",
    "Aster",
    "Atlas",
    "Aurora",
    "Beacon",
    "Birch",
    "Blue",
    "Bold",
    "Bright",
    "Cedar",
    "Cobalt",
    "Copper",
    "Coral",
    "Crest",
    "Crown",
    "Delta",
    "Ember",
    "Falcon",
    "Fern",
    "Flint",
    "Forge",
    "Granite",
    "Harbor",
    "Hazel",
    "Helix",
    "Horizon",
    "Indigo",
    "Iron",
    "Ivory",
    "Jade",
    "Juniper",
    "Kestrel",
    "Lark",
    "Laurel",
    "Lumen",
    "Lunar",
    "Maple",
    "Meridian",
    "Mistral",
    "Nimbus",
    "Noble",
    "North",
    "Nova",
    "Oak",
    "Onyx",
    "Orbit",
    "Orchid",
    "Osprey",
    "Palisade",
    "Pearl",
    "Pine",
    "Pioneer",
    "Polar",
    "Prairie",
    "Quartz",
    "Raven",
    "Redwood",
    "Ridge",
    "River",
    "Rowan",
    "Sable",
    "Saffron",
    "Sierra",
    "Silver",
    "Slate",
    "Solar",
    "Spruce",
    "Sterling",
    "Stone",
    "Summit",
    "Swift",
    "Tandem",
    "Terra",
    "Thistle",
    "Tide",
    "Timber",
    "Topaz",
    "Tundra",
    "Umber",
    "Valley",
    "Vantage",
    "Vector",
    "Velvet",
    "Vertex",
    "Vista",
    "Willow",
    "Zenith",
    "Zephyr",
]
SECOND = [
    "Analytics",
    "Automation",
    "Bank",
    "Biotech",
    "Capital",
    "Chemicals",
    "Cloud",
    "Components",
    "Consulting",
    "Controls",
    "Data",
    "Design",
    "Devices",
    "Dynamics",
    "Electric",
    "Energy",
    "Engineering",
    "Finance",
    "Foods",
    "Freight",
    "Health",
    "Holdings",
    "Imaging",
    "Industries",
    "Instruments",
    "Insurance",
    "Labs",
    "Learning",
    "Logistics",
    "Manufacturing",
    "Materials",
    "Media",
    "Medical",
    "Metals",
    "Mobility",
    "Motors",
    "Networks",
    "Optics",
    "Packaging",
    "Partners",
    "Pharma",
    "Plastics",
    "Power",
    "Products",
    "Retail",
    "Robotics",
    "Security",
    "Semiconductors",
    "Services",
    "Shipping",
    "Software",
    "Solutions",
    "Steel",
    "Storage",
    "Studios",
    "Supply",
    "Systems",
    "Technologies",
    "Telecom",
    "Textiles",
    "Trading",
    "Transport",
    "Travel",
    "Utilities",
    "Ventures",
    "Water",
    "Wireless",
    "Works",
]
INDUSTRIES = ("software", "finance", "health", "retail", "logistics", "energy", "media", "education", "food", "mining")
REGIONS = ("emea", "amer", "apac", "latam")
COUNTRIES = [f"country-{n:02d}" for n in range(60)]
PLANS = ("starter", "team", "business", "enterprise")
NO_SCORES = {"account": ("already_leaving", "not_customer"), "lead": ("already_customer", "closed")}
BANDS = (("high", 90), ("medium", 70), ("low", 1))


class Sink:
    """Bulk writes into one store, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._sqlite = connection.dialect.name == "sqlite"
        self._driver: Any = connection.connection.driver_connection

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if self._sqlite:
            marks = ", ".join("?" * len(columns))
            self._driver.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
            return
        with self._driver.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for each in rows:
                copy.write_row(each)


def fill(store: Store, accounts: int, leads: int, seed: int = 0) -> dict[str, int]:
    """Fill a migrated, empty store. Returns the rows by table."""
    as_of = to_us(parse_as_of(AS_OF))
    counted: dict[str, int] = {}
    with store.write() as connection:
        indexes = [index for table in (decisions, latest_scores, profiles, notes) for index in table.indexes]
        for index in indexes:
            connection.execute(DropIndex(index))
        connection.exec_driver_sql("CREATE TEMP TABLE raw_terms (entity TEXT, term TEXT, entity_id TEXT)")
        sink = Sink(connection)
        for entity, model, count in (("account", "churn-risk", accounts), ("lead", "lead-fit", leads)):
            rng = np.random.default_rng([seed, len(entity)])
            for start in range(0, count, CHUNK):
                made = _entities(entity, start, min(CHUNK, count - start), as_of, rng)
                for table, columns, rows in _rows(entity, model, made, as_of, rng):
                    counted[table] = counted.get(table, 0) + len(rows)
                    sink.put(table, columns, rows)
        by_code_point = ' COLLATE "C"' if store.dialect == "postgresql" else ""
        connection.exec_driver_sql(
            "INSERT INTO profile_terms (entity, term, entity_id) SELECT entity, term, entity_id FROM raw_terms "
            f"ORDER BY entity{by_code_point}, term{by_code_point}, entity_id{by_code_point}"
        )
        connection.exec_driver_sql("DROP TABLE raw_terms")
        for index in indexes:
            connection.execute(CreateIndex(index))
    if store.dialect == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    counted[profile_terms.name] = counted.pop("raw_terms")
    return counted


def _entities(entity: str, start: int, count: int, as_of: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Profiles, as rows of the table with decoded segments."""
    first, second = rng.integers(0, len(FIRST), count), rng.integers(0, len(SECOND), count)
    owners = 200 if entity == "account" else 1000
    owner = (rng.beta(1, 3, count) * owners).astype(int)
    industry = np.minimum(rng.geometric(0.3, count) - 1, len(INDUSTRIES) - 1)
    country = np.minimum(rng.geometric(0.12, count) - 1, len(COUNTRIES) - 1)
    region, plan = rng.integers(0, len(REGIONS), count), rng.integers(0, len(PLANS), count)
    arr = np.round(rng.lognormal(9.5, 1.2, count), 2)
    unknown = rng.random((count, 3))
    renewal = as_of + rng.integers(1, 365, count) * DAY_US
    acted = np.random.default_rng([start, count, len(entity)]).integers(0, 900, count)
    of_account = entity == "account"
    for i in range(count):
        n = start + i
        name = f"{FIRST[first[i]]} {SECOND[second[i]]}"
        segments = {"industry": INDUSTRIES[industry[i]], "region": REGIONS[region[i]], "country": COUNTRIES[country[i]]}
        if n % 10_000 == 77:  # a value that one in ten thousand has
            segments["industry"] = "aerospace"
        yield {
            "entity": entity,
            "entity_id": f"{'A' if of_account else 'L'}{n:07d}",
            "as_of": as_of,
            "name": f"{name} {n}" if n % 3 else name,
            "domain": None if unknown[i, 0] < 0.1 else f"{name.lower().replace(' ', '-')}-{n}.com",
            "owner": None if unknown[i, 1] < 0.05 else f"owner.{owner[i]:04d}",
            "parent_id": f"A{n // 10 * 10:07d}" if of_account and n % 10 and n % 4 == 0 else None,
            "target_tier": None,
            "segments": segments,
            "arr": float(arr[i]) if of_account else None,
            "renewal_at": int(renewal[i]) if of_account and unknown[i, 2] > 0.1 else None,
            "plan": PLANS[plan[i]] if of_account else None,
            "acted_at": int(as_of - acted[i] * DAY_US) if acted[i] < 90 else None,
            "value": float(arr[i]) if unknown[i, 2] > 0.1 else None,
        }


def _rows(
    entity: str, model: str, made: Iterable[dict[str, Any]], as_of: int, rng: np.random.Generator
) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[Any]]]]:
    of_profiles = [column.name for column in profiles.c]
    found = list(made)
    yield (
        "profiles",
        of_profiles,
        [
            [msgspec.json.encode(e["segments"]) if name == "segments" else e[name] for name in of_profiles]
            for e in found
        ],
    )
    terms = [
        (entity, term, e["entity_id"])
        for e in found
        for term in sorted(terms_of(e["name"], e["domain"], e["segments"]))
    ]
    yield "raw_terms", ["entity", "term", "entity_id"], terms
    kept = msgspec.json.encode({f"signal_{n}_28d": n * 1.5 for n in range(30)})
    of_signals = [column.name for column in signals.c]
    yield (
        "signals",
        of_signals,
        [(entity, e["entity_id"], as_of, "eligible", e["value"], kept, "run-2") for e in found],
    )
    before = _scored(entity, model, found, as_of - DAY_US, "run-1", rng)
    after = _scored(entity, model, found, as_of, "run-2", rng)
    of_decisions = [column.name for column in decisions.c if column.name != "id"]
    for records in (before, after):
        yield "decisions", of_decisions, [[record[name] for name in of_decisions] for record in records]
    of_lists = [column.name for column in latest_scores.c]
    rows = []
    for e, old, new in zip(found, before, after, strict=True):
        own = {**latest_row(new), **copies_of(e)}
        if new["score"] is not None and old["score"] is not None:
            own["change"] = new["score"] - old["score"]
        rows.append([own[name] for name in of_lists])
    yield "latest_scores", of_lists, rows
    told = [
        (
            f"{entity}{e['entity_id']}",
            "action",
            entity,
            e["entity_id"],
            "call",
            as_of - DAY_US,
            as_of - DAY_US,
            "us",
            None,
        )
        for e in found
        if e["entity_id"].endswith("7")
    ]
    yield "notes", [column.name for column in notes.c], told


def _scored(
    entity: str, model: str, found: Sequence[dict[str, Any]], as_of: int, run_id: str, rng: np.random.Generator
) -> list[dict[str, Any]]:
    probability = rng.beta(1.2, 8, len(found))
    score = np.clip((probability * 250).astype(int) + 1, 1, 100)
    lacks, which = rng.random(len(found)) < 0.12, rng.integers(0, len(REASONS), len(found))
    codes = NO_SCORES[entity]
    made = []
    for i, e in enumerate(found):
        p, s, no = float(probability[i]), int(score[i]), codes[i % len(codes)] if lacks[i] else None
        band = next(name for name, least in BANDS if s >= least)
        made.append(
            {
                "model": model,
                "entity": entity,
                "entity_id": e["entity_id"],
                "as_of": as_of,
                "recorded_at": as_of,
                "cause": "batch",
                "run_id": run_id,
                "version": 1,
                "scorer": "0" * 64,
                "probability": None if no else p,
                "score": None if no else s,
                "band": None if no else band,
                "no_score": no,
                "value": e["value"],
                "reasons": b"[]" if no else _TOLD[int(which[i])],
                "inputs": b"[]" if no else _INPUTS,
                "inputs_sha256": "1" * 64,
                "old_rows": None,
            }
        )
    return made


_TOLD = [
    msgspec.json.encode([msgspec.structs.astuple(r) for r in (REASONS[n:] + REASONS[:n])[:5]])
    for n in range(len(REASONS))
]
_INPUTS = msgspec.json.encode([n * 1.25 for n in range(60)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="SQLAlchemy URL of a migrated, empty store")
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--leads", type=int, default=1_000_000)
    given = parser.parse_args()
    store = open_store(given.url)
    store.require_revision()
    if store.dialect == "sqlite":
        with store.raw() as connection:
            connection.execute("PRAGMA cache_size = -200000")
    began = time.perf_counter()
    rows = fill(store, given.accounts, given.leads)
    print(json.dumps({"seconds": round(time.perf_counter() - began, 1), "rows": rows}))
    store.close()


if __name__ == "__main__":
    main()
