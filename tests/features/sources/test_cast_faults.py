"""Values that a SELECT cannot read: the message names one, and its step, followed to the letter, reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources import cast_faults
from tests.kit.broken_sources import (
    READ,
    SUBSCRIPTION,
    USAGE,
    Case,
    assert_advice_works,
    broken,
    followed,
    values,
)

CASES = [
    Case(
        "a text compared with a number", "'x' is no INT64", READ + " WHERE quantity = 'x'", {"usage.csv": USAGE}, is_=0
    ),
    Case(
        "a text in a list of numbers",
        "'x' is no INT",
        READ + " WHERE quantity IN ('3', 'x')",
        {"usage.csv": USAGE},
        is_=1,
    ),
    Case(
        "a time compared in another order",
        "'13.01.2024' is no",
        READ + " WHERE event_time < '13.01.2024'",
        {"usage.csv": USAGE},
    ),
    Case(
        "a join of two types",
        "'a' is no",
        READ.replace("SELECT ", "SELECT u.") + " u LEFT JOIN (SELECT 5 AS number) n ON n.number = u.account_id",
        {"usage.csv": USAGE},
    ),
    Case(
        "a file in Latin-1",
        "usage.csv, line 2: it is not UTF-8",
        READ,
        {"usage.csv": "account_id,event_time,quantity\nMüller,2024-01-01,1\nb,2024-01-01,2\n".encode("latin-1")},
        "max(account_id)",
        "b",
    ),
    Case(
        "a file in CP1252",
        "it is not UTF-8",
        READ,
        {"usage.csv": "account_id,event_time,quantity\n€,2024-01-01,1\nb,2024-01-01,2\n".encode("cp1252")},
        "max(account_id)",
        "€",
    ),
    Case("a file in UTF-16", "it is not UTF-8", READ, {"usage.csv": USAGE.encode("utf-16")}),
    Case(
        "lines of too many fields", "other fields than its header", READ, {"usage.csv": USAGE + "b,2024-01-01,3,4,5\n"}
    ),
    Case(
        "the same with all columns",
        "other fields than its header",
        "SELECT * FROM read_csv('${data}/usage.csv')",
        {"usage.csv": USAGE + "b,2024-01-01,3,4,5\n"},
    ),
    Case(
        "a cast of a number",
        "column quantity: 'many' is no BIGINT",
        READ.replace("quantity", "CAST(quantity AS BIGINT) AS quantity"),
        values("a,2024-01-01,3", "b,2024-01-01,many"),
        "sum(quantity)",
        3,
    ),
    Case(
        "the short form of a cast",
        "column quantity: 'many' is no",
        READ.replace("quantity", "quantity::INT AS quantity"),
        values("a,2024-01-01,3", "b,2024-01-01,many"),
        "sum(quantity)",
        3,
    ),
    Case(
        "a cast of a range",
        "usage.csv, line 3, column quantity: '51-200'",
        READ.replace("quantity", "CAST(quantity AS BIGINT) AS quantity"),
        values("a,2024-01-01,3", "b,2024-01-01,51-200"),
        "sum(quantity)",
        54,
    ),
    Case(
        "a cast in Parquet or a subquery",
        "column n: '51-200' is no",
        "SELECT account_id, event_time, CAST(n AS BIGINT) AS quantity FROM (SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time, unnest(['3', '51-200']) AS n)",
        {},
        "sum(quantity)",
        54,
    ),
    Case(
        "a cast of a time that may not be null",
        "'2024-13-01' is no TIMESTAMP",
        READ.replace("event_time", "CAST(event_time AS TIMESTAMP) AS event_time"),
        values("a,2024-01-01,3", "b,2024-13-01,3"),
        "min(account_id)",
        "a",
    ),
    Case(
        "strptime",
        "column event_time: '2024-13-01' is not written as '%Y-%m-%d'",
        READ.replace("event_time", "strptime(event_time, '%Y-%m-%d') AS event_time"),
        values("a,2024-01-01,3", "b,2024-13-01,3"),
        "min(account_id)",
        "a",
    ),
    Case(
        "a type that the reader is told",
        "'51-200' is no BIGINT",
        READ.replace("csv')", "csv', types = {'quantity': 'BIGINT'})"),
        values("a,2024-01-01,3", "b,2024-01-01,51-200"),
        "sum(quantity)",
        54,
    ),
    Case(
        "a cast of money",
        "'$1,049.00' is no DOUBLE",
        SUBSCRIPTION.format("CAST(x AS DOUBLE) AS mrr FROM (VALUES ('$1,049.00'), ('9')) t(x)"),
        {},
        "max(mrr)",
        104_900,
        "subscriptions",
    ),
    Case(
        "a cast of a flag",
        "'Ja' is no BOOLEAN",
        SUBSCRIPTION.format("9 AS mrr, x::BOOLEAN AS auto_renew FROM (VALUES ('Ja'), ('Nein')) t(x)"),
        {},
        "count(*) FILTER (WHERE auto_renew)",
        1,
        "subscriptions",
    ),
    Case(
        "a cast of an expression",
        "'03.04.2024' is no TIMESTAMP",
        "SELECT 'a' AS account_id, CAST(trim(x) AS TIMESTAMP) AS event_time FROM (VALUES ('03.04.2024'), ('13.04.2024')) t(x)",
        {},
        "max(event_us)",
        1_712_966_400_000_000,
    ),
    Case(
        "a cast in a WITH",
        "'x' is no BIGINT",
        "WITH e AS (\n  SELECT account_id, event_time, CAST(quantity AS BIGINT) AS quantity FROM read_csv('${data}/usage.csv')\n) SELECT * FROM e",
        values("a,2024-01-01,3", "b,2024-01-01,x"),
        "sum(quantity)",
        3,
    ),
]


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        assert_advice_works(case, tmp_path)

    def test_the_twin_that_knows_casts_alone_fails_on_a_comparison(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            cast_faults, "_made_alike", lambda *_: "write TRY_CAST(... AS type) in the place of CAST(...)"
        )
        case = next(case for case in CASES if case.name == "a text compared with a number")
        with pytest.raises((BadInput, AssertionError)):
            followed(*broken(case, tmp_path))
