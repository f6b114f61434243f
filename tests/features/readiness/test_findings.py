"""Each finding of `check` has a source that shows it, one like it that does not, and advice that works when it is followed."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from features.readiness.line import Line
from features.sources.loader import open_source
from features.sources.overlay import overlay
from features.sources.source import Source
from features.sources.vocabularies import WORDS, understood, words_of
from tests.kit.checked import checked
from tests.kit.company import at, make_source

DAY = dt.timedelta(days=1)


def lines(source: Source, table: str, rule: str) -> list[Line]:
    return [line for line in checked(source) if line.table == table and rule in line.rule]


def account(name: str = "a", **columns: Any) -> dict[str, Any]:
    return {"account_id": name, "event_time": at("2024-01-01"), **columns}


def contract(day: str, mrr: float, status: str = "active", **columns: Any) -> dict[str, Any]:
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


class TestWords:
    @pytest.mark.parametrize(("table", "column"), WORDS)
    def test_each_word_in_every_case(self, table: str, column: str) -> None:
        for word in words_of(table, column):
            shown = word.replace("_", " ")
            for written in (
                word,
                word.upper(),
                shown.title(),
                f" {shown}",
                shown.replace(" ", "-"),
                "".join(shown.title().split()),
            ):
                assert understood(table, column, written) == word, written

    def test_no_spelling_means_two_words(self) -> None:
        for place, words in WORDS.items():
            spelled = [s for word, others in words.items() for s in (word, *others)]
            assert len(spelled) == len(set(spelled)), place

    def test_sql_and_python_read_alike(self, tmp_path: Path) -> None:
        """CSV and Parquet go by the one, webhooks by the other."""
        written = [
            "Call",
            "MEETING",
            "Email Opened",
            "emailOpened",
            "phone-call",
            "fax",
            " call ",
            "Demo; follow-up",
            "",
            "é",
        ]
        rows = [{"account_id": "a", "event_time": at("2024-02-01"), "kind": word} for word in written]
        source = make_source(tmp_path, {"accounts": [account()], "touches": rows})
        held = sorted(row[0] for row in source.query("SELECT kind FROM touches"))
        assert held == sorted(understood("touches", "kind", word) for word in written)

    def test_a_webhook_is_read_as_a_file_is(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account(kind="Customer")]})
        changed = overlay(source, "accounts", [{"account_id": "a", "event_time": at("2024-03-01"), "kind": "INTERNAL"}])
        assert sorted(changed.query("SELECT kind FROM accounts")) == [("customer",), ("internal",)]

    def test_what_is_understood_and_what_counts_for_nothing(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": "a", "event_time": at("2024-02-01"), "kind": word} for word in ("Call", "call", "fax", "fax")
        ]
        source = make_source(tmp_path, {"accounts": [account()], "touches": rows})
        (read,) = lines(source, "touches", "another spelling")
        assert (read.severity, read.rows, read.found) == ("info", 1, "'Call' as call (1)")
        (strange,) = lines(source, "touches", "its words are those")
        assert (strange.severity, strange.rows, strange.found) == ("weakens", 2, "'fax' (2)")
        assert "demo_request" in strange.needed
        source = wrapped(tmp_path, "touches", query_of(strange).replace("'...'", "'call'"))
        assert lines(source, "touches", "its words are those") == []
        assert source.query("SELECT DISTINCT kind FROM touches") == [("call",)]

    def test_signals_count_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from features.panel.build import build_panel

        rows = [{"account_id": "a", "event_time": at("2024-02-01"), "kind": "Meeting", "direction": "Inbound"}]
        source = make_source(tmp_path / "one", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [1.0]
        # The twin: words as they stand.
        monkeypatch.setattr("features.sources.casts.understood_sql", lambda table, column, text: text)
        source = make_source(tmp_path / "two", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [0.0]


class TestRepeatedRows:
    def used(self, times: int = 1, hour: int = 9) -> list[dict[str, Any]]:
        one = [
            {
                "account_id": "a",
                "user_id": f"u{n % 7}",
                "event_time": at("2024-02-01") + n // 8 * DAY + dt.timedelta(hours=hour, minutes=n % 8),
            }
            for n in range(80)
        ]
        return one * times

    def test_an_export_loaded_twice(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "usage": self.used(2)})
        (line,) = lines(source, "usage", "a row is there once")
        assert (line.severity, line.rows) == ("weakens", 80)
        assert "on 10 days from 2024-02-01 to 2024-02-10" in line.found
        assert lines(wrapped(tmp_path, "usage", query_of(line)), "usage", "a row is there once") == []

    def test_one_day_loaded_twice(self, tmp_path: Path) -> None:
        rows = self.used()
        source = make_source(tmp_path, {"accounts": [account()], "usage": rows + rows[:8]})
        (line,) = lines(source, "usage", "a row is there once")
        assert (line.severity, line.rows) == ("weakens", 8)

    def test_loaded_once(self, tmp_path: Path) -> None:
        """The twin; and days without a time of day, on which two rows alike are two uses."""
        assert (
            lines(make_source(tmp_path / "one", {"accounts": [account()], "usage": self.used()}), "usage", "there once")
            == []
        )
        daily = [row | {"event_time": row["event_time"].replace(hour=0, minute=0)} for row in self.used()]
        daily += [row for row in daily if row["user_id"] == "u0"]
        assert (
            lines(make_source(tmp_path / "two", {"accounts": [account()], "usage": daily}), "usage", "there once") == []
        )

    def test_some_of_a_large_table_stand_for_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from features.readiness import repeated_rows

        monkeypatch.setattr(repeated_rows, "MOST_COMPARED", 40)
        source = make_source(tmp_path, {"accounts": [account()], "usage": self.used(3)})
        (line,) = lines(source, "usage", "a row is there once")
        assert line.severity == "weakens"
        assert line.found.startswith("about ")

    def test_versions_that_contradict_each_other(self, tmp_path: Path) -> None:
        rows = [contract("2024-02-01", 50.0), contract("2024-02-01", 0.0, "ended"), contract("2024-03-01", 50.0)]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        (line,) = lines(source, "subscriptions", "one version of each moment")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "status, mrr")
        assert "'s' at 2024-02-01" in line.found
        source = wrapped(tmp_path, "subscriptions", query_of(line))
        assert lines(source, "subscriptions", "one version of each moment") == []
        assert source.rows("subscriptions") == 2

    def test_versions_that_agree(self, tmp_path: Path) -> None:
        """The twin: the same version twice, and two that became known one after the other."""
        rows = [
            contract("2024-02-01", 50.0),
            contract("2024-02-01", 50.0),
            contract("2024-02-01", 0.0, "ended", known_time=at("2024-02-05")),
        ]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        assert lines(source, "subscriptions", "one version of each moment") == []


class TestFinalStates:
    def deals(self, begun: bool) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for n in range(12):
            deal = {"opportunity_id": f"o{n}", "account_id": "a", "stage": "x"}
            if begun:
                rows.append(deal | {"event_time": at("2024-02-01"), "status": "open"})
            rows.append(deal | {"event_time": at("2024-03-01") if begun else at("2024-02-01"), "status": "Closed Won"})
        return rows

    def test_over_from_the_first(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "opportunities": self.deals(begun=False)})
        (line,) = lines(source, "opportunities", "a version from before its end")
        assert (line.severity, line.rows, line.column) == ("weakens", 12, "status")
        assert "UNION ALL" in line.what_to_do

    def test_followed(self, tmp_path: Path) -> None:
        """The twin: the two SELECTs that the advice names."""
        source = make_source(tmp_path, {"accounts": [account()], "opportunities": self.deals(begun=False)})
        read = (tmp_path / "opportunities.sql").read_text()
        (tmp_path / "opportunities.sql").write_text(
            f"SELECT * REPLACE ('open' AS status) FROM ({read}) UNION ALL "
            f"SELECT * REPLACE (event_time + INTERVAL 20 DAY AS event_time) FROM ({read})"
        )
        source = open_source(str(tmp_path), tmp_path)
        assert lines(source, "opportunities", "a version from before its end") == []


class TestCredits:
    def source(self, tmp_path: Path) -> Source:
        rows = [contract("2024-02-01", 50.0), contract("2024-03-01", -250.0), contract("2024-04-01", 60.0)]
        rows += [contract("2024-05-01", -5.0, "ended")]
        return make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})

    def test_a_credit_pays_what_was_paid_before(self, tmp_path: Path) -> None:
        source = self.source(tmp_path)
        assert source.query("SELECT mrr, status FROM subscriptions ORDER BY event_us") == [
            (5000, "active"), (5000, "active"), (6000, "active"), (6000, "ended"),
        ]  # fmt: skip

    def test_it_is_no_outcome_and_the_customer_goes_on(self, tmp_path: Path) -> None:
        from features.outcomes.churn import CHURN
        from features.outcomes.read import read_outcomes
        from features.panel.build import build_panel

        source = self.source(tmp_path)
        spells = read_outcomes(source, CHURN).spells
        assert spells is not None
        assert len(spells) == 1, "one time of paying, from February to May"
        panel = build_panel(source, "account", [at("2024-03-15")], only=["mrr"])
        assert (panel["eligibility"].to_pylist(), panel["mrr"].to_pylist()) == (["eligible"], [50.0])

    def test_taken_as_it_stands_it_is_leaving(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The twin."""
        from features.panel.build import build_panel

        monkeypatch.setattr("features.sources.loader.without_credits", lambda select: select)
        panel = build_panel(self.source(tmp_path), "account", [at("2024-03-15")], only=["mrr"])
        assert panel["eligibility"].to_pylist() == ["not_customer"]

    def test_what_was_not_known_then_is_not_carried(self, tmp_path: Path) -> None:
        rows = [
            contract("2024-02-01", 50.0),
            contract("2024-02-10", 90.0, known_time=at("2024-06-01")),
            contract("2024-03-01", -9.0),
        ]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        assert source.query("SELECT mrr FROM subscriptions WHERE event_us = epoch_us(TIMESTAMP '2024-03-01')") == [
            (5000,)
        ]

    def test_by_webhook(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": [contract("2024-02-01", 50.0)]})
        changed = overlay(
            source, "subscriptions", [{"subscription_id": "s", "event_time": at("2024-03-01"), "mrr": "-250"}]
        )
        assert changed.query("SELECT mrr FROM subscriptions ORDER BY event_us") == [(5000,), (5000,)]

    def test_check_counts_them(self, tmp_path: Path) -> None:
        (line,) = lines(self.source(tmp_path), "subscriptions", "a credit is no recurring revenue")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "mrr")
        assert "the lowest -250.0" in line.found
        assert lines(wrapped(tmp_path, "subscriptions", query_of(line)), "subscriptions", "a credit") == []


class TestOwners:
    @pytest.mark.parametrize(
        ("written", "said"),
        [("123.0", "'.0'"), ("1.23e2", "exponent"), (" 123", "spaces"), ("00123", "leading zeros")],
    )
    def test_the_same_id_in_another_writing(self, tmp_path: Path, written: str, said: str) -> None:
        used = [{"account_id": written, "event_time": at("2024-02-01")}]
        source = make_source(tmp_path, {"accounts": [account("123")], "usage": used})
        (line,) = lines(source, "usage", "it names a row of accounts")
        assert line.severity == "weakens"
        assert repr(written) in line.found
        assert said in line.found
        for table in ("usage", "accounts"):
            source = wrapped(tmp_path, table, query_of(line))
        assert lines(source, "usage", "it names a row of accounts") == []

    def test_an_id_that_is_nowhere(self, tmp_path: Path) -> None:
        used = [{"account_id": "zzz", "event_time": at("2024-02-01")}]
        (line,) = lines(make_source(tmp_path, {"accounts": [account("123")], "usage": used}), "usage", "it names a row")
        assert "written alike" not in line.found


class TestEarlyOutcomes:
    def labelled(self, tmp_path: Path, early: int) -> Source:
        leads = [{"lead_id": f"l{n}", "event_time": at("2024-02-01") + n * DAY} for n in range(40)]
        labels = [
            {"lead_id": f"l{n}", "event_time": at("2019-01-01") if n < early else at("2024-06-01"), "converted": True}
            for n in range(40)
        ]
        return make_source(tmp_path, {"leads": leads, "lead_labels": labels})

    def test_all_of_them(self, tmp_path: Path) -> None:
        found = [line for line in checked(self.labelled(tmp_path, 40)) if "an outcome comes after" in line.rule]
        assert found[0].severity == "blocks"
        assert "40 of 40" in found[0].found
        assert "'l0': 2019-01-01, its first version is of 2024-02-01" in found[0].found

    def test_imported_deals_are_counted_where_the_outcome_is_read_from_them(self, tmp_path: Path) -> None:
        leads = [{"lead_id": f"l{n}", "event_time": at("2024-02-10")} for n in range(20)]
        won = [
            {
                "opportunity_id": f"o{n}",
                "lead_id": f"l{n}",
                "event_time": at("2024-02-01") + 2 * n * DAY,
                "stage": "x",
                "status": "won",
            }
            for n in range(20)
        ]
        source = make_source(tmp_path, {"leads": leads, "opportunities": won})
        (line,) = lines(source, "opportunities", "an outcome comes after the first version")
        assert (line.severity, line.rows, line.column) == ("weakens", 5, "event_time")

    def test_none(self, tmp_path: Path) -> None:
        """The twin."""
        assert [line for line in checked(self.labelled(tmp_path, 0)) if "an outcome comes after" in line.rule] == []


class TestEndOfTheData:
    def test_no_new_company_is_no_end(self, tmp_path: Path) -> None:
        """Companies of one spring, used daily for a year: no table has stopped."""
        accounts = [account(f"a{n}", event_time=at("2024-01-01") + n * DAY) for n in range(30)]
        used = [{"account_id": "a0", "event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path / "one", {"accounts": accounts, "usage": used})
        assert not source.observed.tables["accounts"].stopped
        assert lines(source, "accounts", "a table reaches as far") == []

    def test_events_that_stop_are_told(self, tmp_path: Path) -> None:
        """The twin: usage ends while contracts go on; what contracts tell is known to the end, and usage reads as silence."""
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(100)]
        contracts = [contract("2024-01-01", 5.0) | {"event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path, {"accounts": [account()], "usage": used, "subscriptions": contracts})
        (line,) = lines(source, "usage", "a table reaches as far")
        assert line.severity == "weakens"
        assert "outcomes" not in line.what_to_do, "usage tells of no outcome"
        contracts = [row for row in contracts if row["event_time"] < at("2024-04-01")]
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path / "two", {"accounts": [account()], "usage": used, "subscriptions": contracts})
        (line,) = lines(source, "subscriptions", "a table reaches as far")
        assert "outcomes that it tells are known up to 2024-03-31 only" in line.what_to_do


class TestIdsThatWereNumbers:
    """Ids that a file made floats: 100057.0, 1e15. The advice gives the id that the other tables have."""

    def test_followed_they_join(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(
            "SELECT CAST(id AS DOUBLE) AS account_id, TIMESTAMP '2024-01-01' AS event_time FROM (VALUES (100057), (1000000000000000)) v(id)"
        )
        (tmp_path / "usage.sql").write_text(
            "SELECT id AS account_id, TIMESTAMP '2024-02-01' AS event_time FROM (VALUES ('100057'), ('1000000000000000')) v(id)"
        )
        (fault,) = open_source(str(tmp_path), keep_going=True).faults
        assert fault.found.startswith("its type is DOUBLE")
        query = re.search(r"SELECT \* REPLACE .*\(THIS SELECT\)", fault.next_step)
        assert query, fault.next_step
        (tmp_path / "accounts.sql").write_text(query[0].replace("THIS SELECT", (tmp_path / "accounts.sql").read_text()))
        source = open_source(str(tmp_path))
        assert lines(source, "usage", "it names a row of accounts") == []
        assert sorted(source.query("SELECT account_id FROM accounts")) == [
            ("1000000000000000",),
            ("100057",),
        ]


class TestRowsInTheFuture:
    """Beyond the clock, beyond the end of what was observed, or decades before it: counted, named, and the advice leaves them out."""

    @pytest.mark.parametrize(
        ("odd", "rule"),
        [
            ({"event_time": at("2099-01-01")}, "a row happened within"),
            ({"event_time": at("1999-01-01")}, "a row happened within"),
            ({"event_time": at("2024-02-01"), "known_time": at("2099-01-01")}, "a row is known by now"),
        ],
    )
    def test_followed(self, tmp_path: Path, odd: dict[str, Any], rule: str) -> None:
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(100)]
        source = make_source(tmp_path, {"accounts": [account()], "usage": [*used, {"account_id": "b", **odd}]})
        (line,) = lines(source, "usage", rule)
        assert (line.severity, line.rows) == ("weakens", 1)
        assert "account_id 'b'" in line.found
        source = wrapped(tmp_path, "usage", query_of(line))
        assert lines(source, "usage", rule) == []
        assert source.rows("usage") == 100
