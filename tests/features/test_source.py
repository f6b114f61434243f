"""A source is checked when it is opened, and says everything that is wrong with it at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from features.kit.errors import BadInput, UserMistake
from features.panel.build import build_panel
from features.simulate import simulate
from features.sources import overlay as overlays
from features.sources.fingerprint import fingerprint
from features.sources.loader import open_source
from features.sources.overlay import overlay
from features.sources.schema import TABLES
from features.sources.typed_values import coerce
from tests.kit.company import at, make_source, random_company

ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return str(folder)


class TestFaults:
    def test_all_faults_at_once(self, tmp_path: Path) -> None:
        folder = write(
            tmp_path,
            accounts="SELECT 'a' AS account_id",
            usage="SELECT 'a' AS account_id, 'yesterday' AS event_time",
            subscriptions="SELECT 's' AS subscription_id, 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time, 'active' AS status, 'x' AS mrr",
            invoice="SELECT 1",
            tickets="SELEKT",
        )
        with pytest.raises(BadInput) as caught:
            open_source(folder)
        wheres = [f.where for f in caught.value.faults]
        assert len(wheres) == 5
        text = str(caught.value)
        assert "accounts.sql, column event_time: it is missing" in text
        assert "usage.sql, column event_time: its type is VARCHAR" in text
        assert "subscriptions.sql, column mrr: its type is VARCHAR" in text
        assert "no canonical table is called 'invoice'" in text
        assert "tickets.sql" in text

    def test_nulls_and_impossible_times_are_counted(self, tmp_path: Path) -> None:
        usage = "SELECT unnest(['a', NULL]) AS account_id, unnest([TIMESTAMP '9999-12-31', TIMESTAMP '2024-01-01']) AS event_time"
        with pytest.raises(BadInput) as caught:
            open_source(write(tmp_path, accounts=ACCOUNTS, usage=usage))
        assert [f.found for f in caught.value.faults] == [
            "1 rows where it is null",
            "1 rows where it lies before 1971-01-01 or after 2200-01-01",
        ]

    def test_the_check_is_what_catches_them(self, tmp_path: Path) -> None:
        """The sabotaged twin: the same table without its two bad rows opens."""
        usage = "SELECT unnest(['a', 'b']) AS account_id, unnest([TIMESTAMP '2024-12-31', TIMESTAMP '2024-01-01']) AS event_time"
        assert open_source(write(tmp_path, accounts=ACCOUNTS, usage=usage)).rows("usage") == 2

    def test_a_folder_without_an_entity(self, tmp_path: Path) -> None:
        usage = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"
        with pytest.raises(BadInput, match="neither accounts nor leads"):
            open_source(write(tmp_path, usage=usage))

    def test_a_source_nobody_knows_lists_those_that_ship(self) -> None:
        with pytest.raises(UserMistake, match="ravenstack, sample, x_education"):
            open_source("salesforce")

    def test_data_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ACCOUNTSCORE_DATA", raising=False)
        with pytest.raises(UserMistake, match="--data DIR"):
            open_source("ravenstack")

    def test_the_sample_company_is_where_the_settings_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home, data = tmp_path / "home", tmp_path / "data"
        for place in (home / "sample", data / "sample_2", tmp_path / "itself"):
            simulate(place, accounts=1, leads=0, days=56, usage_events=0)
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(home))
        for value, expected in (
            (None, home / "sample"),
            (str(data), data / "sample_2"),
            (str(tmp_path / "itself"), tmp_path / "itself"),
            (str(tmp_path), home / "sample"),  # the datasets of others, no sample company among them
        ):
            monkeypatch.setenv("ACCOUNTSCORE_DATA", value or "")
            assert open_source("sample").data == expected.resolve()
        assert open_source("sample", data / "sample_2").data == data / "sample_2"

    def test_no_sample_company_anywhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("ACCOUNTSCORE_DATA", str(tmp_path))
        with pytest.raises(UserMistake) as caught:
            open_source("sample")
        for said in (str(tmp_path / "home/sample"), "python -m features simulate", "ACCOUNTSCORE_DATA"):
            assert said in str(caught.value)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        accounts = "SELECT * FROM read_parquet('${data}/accounts.parquet')"
        with pytest.raises(BadInput, match="No files found"):
            open_source(write(tmp_path, accounts=accounts), tmp_path)

    def test_two_columns_that_read_the_same(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="which is taken"):
            open_source(write(tmp_path, accounts=ACCOUNTS + ', 1 AS "Deal Size", 2 AS deal_size'))


class TestSource:
    def test_python_beside_sql(self, tmp_path: Path) -> None:
        write(tmp_path, accounts=ACCOUNTS)
        (tmp_path / "usage.py").write_text(
            "import datetime as dt\nimport pyarrow as pa\n\n"
            "def rows(data):\n"
            "    return pa.table({'account_id': ['a'], 'event_time': [dt.datetime(2024, 2, 1, tzinfo=dt.UTC)]})\n"
        )
        panel = build_panel(open_source(str(tmp_path)), "account", [at("2024-02-02")])
        assert panel["events_7d"].to_pylist() == [1.0]

    def test_arrow_gives_back_what_people_know(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, random_company(1))
        table = source.arrow("subscriptions")
        assert str(table.schema.field("event_time").type) == "timestamp[us, tz=UTC]"
        assert set(table["mrr"].to_pylist()) <= {0.0, 99.5, 1234.56}
        known = zip(table["known_time"].to_pylist(), table["event_time"].to_pylist(), strict=True)
        assert all(k is not None and k >= e for k, e in known)

    def test_fingerprint_is_of_the_content(self, tmp_path: Path) -> None:
        tables = random_company(1)
        first = make_source(tmp_path / "first", tables)
        shuffled = make_source(tmp_path / "second", {n: rows[::-1] for n, rows in tables.items()})
        assert fingerprint(first) == fingerprint(shuffled)
        tables["usage"][0]["quantity"] = 12345
        assert fingerprint(make_source(tmp_path / "third", tables)) != fingerprint(first)

    def test_span(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": "a", "event_time": at("2024-01-01")},
            {"account_id": "b", "event_time": at("2024-03-01")},
        ]
        assert make_source(tmp_path, {"accounts": rows}).span == (at("2024-01-01"), at("2024-03-01"))

    def test_every_canonical_column_has_a_meaning(self) -> None:
        assert all(c.meaning for t in TABLES.values() for c in t.columns)


class TestChanges:
    """What a CRM tells us since lies over the source as a new version, as known when we learnt it."""

    ROWS = (
        {"lead_id": "l1", "event_time": at("2024-01-01"), "industry": "retail", "employees": 5, "status": "open"},
        {"lead_id": "l2", "event_time": at("2024-01-01"), "industry": "software", "status": "open"},
    )

    def test_other_columns_are_carried(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        change = {"lead_id": "l1", "event_time": at("2024-02-01"), "known_time": at("2024-02-03"), "employees": "250"}
        changed = overlay(source, "leads", [change])
        days = [at("2024-02-02"), at("2024-02-04")]
        rows = build_panel(changed, "lead", days).to_pylist()
        assert [(r["entity_id"], r["employees"], r["industry"]) for r in rows] == [
            ("l1", 5.0, "retail"), ("l2", None, "software"), ("l1", 250.0, "retail"), ("l2", None, "software"),
        ]  # fmt: skip
        assert build_panel(source, "lead", days)["employees"].to_pylist() == [5.0, None, 5.0, None]

    def test_changes_upon_changes_and_new_records(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        once = overlay(source, "leads", [{"lead_id": "l3", "event_time": at("2024-02-01"), "status": "open"}])
        twice = overlay(once, "leads", [{"lead_id": "l3", "event_time": at("2024-02-05"), "industry": "steel"}])
        rows = build_panel(twice, "lead", [at("2024-03-01")], ids=["l3"]).to_pylist()
        assert [(r["entity_id"], r["industry"], r["eligibility"]) for r in rows] == [("l3", "steel", "eligible")]

    def two_fields_at_one_time(self, folder: Path) -> list[tuple[object, ...]]:
        stamps = {"event_time": at("2024-02-01"), "known_time": at("2024-02-03")}
        told = [
            {"lead_id": i, **stamps, **one} for i in ("l1", "l3") for one in ({"employees": 250}, {"industry": "steel"})
        ]
        changed = overlay(make_source(folder, {"leads": self.ROWS}), "leads", told)
        rows = build_panel(changed, "lead", [at("2024-03-01")], ids=["l1", "l3"]).to_pylist()
        return [(r["entity_id"], r["employees"], r["industry"]) for r in rows]

    def test_fields_of_one_message_are_all_there(self, tmp_path: Path) -> None:
        assert self.two_fields_at_one_time(tmp_path) == [("l1", 250.0, "steel"), ("l3", 250.0, "steel")]

    def test_as_versions_of_their_own_one_of_them_would_be_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(overlays, "_together", lambda _key, read: read)
        assert self.two_fields_at_one_time(tmp_path) != [("l1", 250.0, "steel"), ("l3", 250.0, "steel")]

    def test_all_bad_values_at_once(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        with pytest.raises(BadInput) as caught:
            overlay(
                source,
                "leads",
                [{"lead_id": "l1", "event_time": at("2024-02-01"), "employees": "many", "colour": "red"}, {}],
            )
        assert len(caught.value.faults) == 4

    @pytest.mark.parametrize(
        ("column", "value", "held"),
        [
            ("employees", "12.0", 12),
            ("annual_revenue", "99.99", 9999),
            ("is_trial", "True", True),
            ("founded_time", "2024-01-01", 1_704_067_200_000_000),
            ("founded_time", "1704067200000", 1_704_067_200_000_000),
            (
                "founded_time",
                dt.datetime(2024, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
                1_704_067_200_000_000,
            ),
            ("industry", "  ", None),
        ],
    )
    def test_values_as_crms_write_them(self, column: str, value: object, held: object) -> None:
        definition = TABLES["accounts"].column(column)
        assert definition is not None
        assert coerce(definition, value) == held
