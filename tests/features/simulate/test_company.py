"""The sample company: true to its page, and the same for the same seed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.simulate import simulate
from features.simulate.company import tables_written
from features.sources.loader import open_source
from features.sources.schema import TABLES
from tests.kit.simulated import END, SMALL, connect, one, world_of

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}


TINY: dict[str, Any] = {"accounts": 30, "leads": 60, "days": 140, "end": END, "usage_events": 1_000}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
    }


class TestSameSeedSameBytes:
    def test_twice_the_same_and_another_seed_another_company(self, tmp_path: Path) -> None:
        found = []
        for number, seed in enumerate((7, 7, 8)):
            simulate(tmp_path / str(number), **TINY, seed=seed)
            found.append(digests(tmp_path / str(number)))
        assert found[0] == found[1]
        assert found[0].keys() == found[2].keys()
        assert [name for name, digest in found[0].items() if found[2][name] == digest] == []

    def test_a_smaller_history_leaves_no_month_of_a_longer_one(self, tmp_path: Path) -> None:
        simulate(tmp_path, **TINY)
        (tmp_path / "notes.txt").write_text("mine")
        simulate(tmp_path, **{**TINY, "days": 60})
        assert [path.stem for path in sorted((tmp_path / "usage").iterdir())] == ["2025-04", "2025-05", "2025-06"]
        assert (tmp_path / "notes.txt").exists()


class TestTables:
    def test_every_canonical_table_but_the_ready_outcomes(self, sample: Path) -> None:
        written = {path.stem for path in sample.glob("*.parquet")} | (
            {"usage"} if list(sample.glob("usage/*")) else set()
        )
        assert written == {*tables_written(), "truth"}
        assert set(TABLES) - written == {"churn_labels", "lead_labels", "actions", "orders", "costs", "rates"}

    @pytest.mark.parametrize("name", tables_written())
    def test_columns_have_their_types_and_required_ones_their_values(self, sample: Path, name: str) -> None:
        files = sorted((sample / "usage").iterdir()) if name == "usage" else [sample / f"{name}.parquet"]
        for file in files:
            table = pq.read_table(file)
            assert table.num_rows > 0
            for column in (each for each in TABLES[name].columns if not each.only_given):
                found = table.schema.field(column.name).type
                assert (found.value_type if pa.types.is_dictionary(found) else found) == TYPES[column.type], column.name
                assert not column.required or table[column.name].null_count == 0, column.name

    def test_the_shipped_source_reads_every_column(self, sample: Path) -> None:
        source = open_source("sample", sample)
        assert source.tables == tables_written()
        assert source.rows("usage") == sum(pq.read_metadata(file).num_rows for file in (sample / "usage").iterdir())
        for name in source.tables:
            assert set(source.columns[name]) >= {c.name for c in TABLES[name].columns if not c.only_given}
            assert not source.custom[name]

    def test_nothing_at_or_after_the_end_happened_or_was_known(self, sample: Path) -> None:
        connection = connect(sample)
        for name in tables_written():
            known = "known_time" if "known_time" in connection.sql(f"SELECT * FROM {name}").columns else "event_time"
            times = one(connection, f"SELECT epoch(max(event_time)), epoch(max({known})) FROM {name}")
            assert max(time or 0 for time in times) < world_of().end_day * 86_400, name

    def test_usage_lies_in_its_month_in_order_of_time(self, sample: Path) -> None:
        for file in (sample / "usage").iterdir():
            times = pq.read_table(file, columns=["event_time"])["event_time"].to_numpy()
            assert (np.diff(times) >= np.timedelta64(0)).all()
            assert set(np.datetime_as_string(times[[0, -1]], unit="M")) == {file.stem}

    def test_about_as_many_usage_events_as_asked_for(self, sample: Path) -> None:
        rows = sum(pq.read_metadata(file).num_rows for file in (sample / "usage").iterdir())
        assert rows == pytest.approx(SMALL["usage_events"], rel=0.05)

    @pytest.mark.parametrize("name", ["usage", "touches", "tickets", "invoices", "contacts", "accounts", "leads"])
    def test_some_rows_arrive_late_by_hours_to_weeks(self, large: Path, name: str) -> None:
        connection = connect(large)
        share, shortest, longest = connection.sql(
            f"SELECT count(*) FILTER (known_time > event_time) / count(*), epoch(min(known_time - event_time)), "
            f"epoch(max(known_time - event_time)) FROM {name}"
        ).fetchall()[0]
        assert 0.002 < share < 0.06
        assert shortest >= 3600
        assert 86_400 < longest <= 21 * 86_400

    def test_every_mechanism_shows(self, large: Path) -> None:
        """One count per mechanism that the page names; each must have happened."""
        connection = connect(large)
        counts = {
            "free mail leads": "leads WHERE email LIKE '%gmail.com'",
            "leads of known accounts": "leads WHERE status = 'open' AND account_id IS NOT NULL",
            "second leads of a company": "(SELECT company FROM leads WHERE status = 'open' GROUP BY 1 HAVING count(*) > 1)",
            "leads given up": "leads WHERE status = 'disqualified'",
            "opted out": "accounts WHERE opted_out",
            "internal": "accounts WHERE kind = 'internal'",
            "test": "accounts WHERE kind = 'test'",
            "competitor": "accounts WHERE kind = 'competitor'",
            "missing employees": "accounts WHERE employees IS NULL",
            "notices": "subscriptions WHERE status = 'notice'",
            "downgrades to free": "subscriptions WHERE plan = 'free' AND mrr = 0",
            "add-ons": "subscriptions WHERE product = 'analytics'",
            "trials": "subscriptions WHERE status = 'trial'",
            "coming back": "(SELECT account_id FROM subscriptions WHERE product = 'workspace' AND mrr > 0 GROUP BY 1 "
            "HAVING count(DISTINCT subscription_id) > 1)",
            "price rise": "subscriptions WHERE event_time > '2025-01-01' AND discount = 0 AND plan = 'starter' AND mrr > 45 * seats",
            "refused payments": "invoices WHERE status = 'failed'",
            "late payers": "invoices WHERE status = 'paid' AND event_time > due_time",
            "escalations": "tickets WHERE escalated",
            "reopened": "tickets WHERE status = 'reopened'",
            "people who left": "contacts WHERE has_left",
            "lost deals": "opportunities WHERE status = 'lost'",
            "expansions": "opportunities WHERE kind = 'expansion' AND status = 'won'",
            "touches with a person": "touches WHERE contact_id IS NOT NULL",
        }
        for what, rows in counts.items():
            assert one(connection, f"SELECT count(*) FROM {rows}")[0] >= 5, what

    @pytest.mark.parametrize(("name", "key"), [("leads", "lead_id"), ("contacts", "contact_id")])
    def test_nobody_shares_an_address(self, large: Path, name: str, key: str) -> None:
        """Repeated values in a dictionary made the Parquet writer leave stray bytes: same rows, other files."""
        people, addresses = one(connect(large), f"SELECT count(DISTINCT {key}), count(DISTINCT email) FROM {name}")
        assert people == addresses

    def test_weekends_are_quiet(self, sample: Path) -> None:
        weekend = one(connect(sample), "SELECT count(*) FILTER (isodow(event_time) > 5) / count(*) FROM usage")[0]
        assert 0.03 < weekend < 0.15

    def test_converted_leads_are_accounts_with_a_won_deal(self, large: Path) -> None:
        missing = one(
            connect(large),
            "SELECT count(*) FROM leads l WHERE status = 'converted' AND NOT EXISTS (FROM opportunities o WHERE "
            "o.account_id = l.account_id AND o.status = 'won' AND o.kind = 'new' AND o.event_time = l.event_time)",
        )
        assert missing == (0,)
