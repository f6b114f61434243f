"""stripe:api: the same rows as stripe:fivetran, from the objects that Stripe's API lists, in the form of today and of before."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from features.init.write import write_source
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.init_rows import rows_of


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())


PRICE = {"id": "p_year", "object": "price", "unit_amount": 120000, "currency": "usd", "nickname": "Team", "product": "prod", "recurring": {"interval": "year", "interval_count": 1}}  # fmt: skip
ITEM = {
    "id": "si_1",
    "object": "subscription_item",
    "price": PRICE,
    "quantity": 8,
    "subscription": "sub_1",
    "current_period_end": at("2025-07-15"),
}
SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "canceled", "livemode": True, "created": at("2024-01-01"), "start_date": at("2024-01-01"),
    "trial_end": at("2024-01-15"), "canceled_at": at("2024-12-20"), "ended_at": at("2025-01-15"), "items": {"object": "list", "data": [ITEM]},
}  # fmt: skip


def line(amount: int, begins: str, ends: str, quantity: int, parent: dict[str, Any]) -> dict[str, Any]:
    period = {"start": at(begins), "end": at(ends)}
    return {
        "id": f"il_{begins}",
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "quantity": quantity,
        "period": period,
        "invoice": "in_1",
        **parent,
    }


def invoice(*lines: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "in_1", "object": "invoice", "customer": "cus_1", "currency": "usd", "status": "paid", "total": 600000, "livemode": True, "created": at("2024-01-14"), "due_date": at("2024-02-14"),
        "status_transitions": {"finalized_at": at("2024-01-15"), "paid_at": at("2024-02-25"), "voided_at": None, "marked_uncollectible_at": None},
        "lines": {"object": "list", "data": list(lines)},
    }  # fmt: skip


CUSTOMERS = [{"id": "cus_1", "object": "customer", "created": at("2024-01-01"), "name": "Acme", "email": "pay@acme.example", "livemode": True, "address": {"country": "US"}, "metadata": {"crm_id": "001A"}}]  # fmt: skip


def opened(folder: Path, **files: Any) -> Source:
    (folder / "data").mkdir(parents=True)
    for name, value in files.items():
        (folder / "data" / f"{name}.json").write_text(value if isinstance(value, str) else json.dumps(value))
    write_source(folder / "source", ["stripe:api"], folder / "data", "UTC", None)
    return open_source(str(folder / "source"), folder / "data")


def listed(values: list[dict[str, Any]]) -> dict[str, Any]:
    """An answer of the API: a list object."""
    return {"object": "list", "url": "/v1/x", "has_more": False, "data": values}


EXPECTED = [
    ("sub_1", "2024-01-01 00:00:00", "trial", 0.0, None, "Team"),
    ("sub_1", "2024-01-15 00:00:00", "active", 500.0, 5, "Team"),
    ("sub_1", "2024-07-15 00:00:00", "active", 800.0, 8, "Team"),
    ("sub_1", "2024-12-20 00:00:00", "notice", 800.0, 8, "Team"),
    ("sub_1", "2025-01-15 00:00:00", "ended", 0.0, 8, "Team"),
]
COLUMNS = ("subscription_id", "event_time", "status", "mrr", "seats", "plan")


class TestObjects:
    def test_lists_of_the_api_with_lines_as_they_are_today(self, tmp_path: Path) -> None:
        def today(proration: bool) -> dict[str, Any]:
            return {
                "parent": {
                    "type": "subscription_item_details",
                    "subscription_item_details": {"subscription": "sub_1", "proration": proration},
                }
            }

        lines = (
            line(600000, "2024-01-15", "2025-01-15", 5, today(False)),
            line(4050, "2024-07-15", "2025-01-15", 3, today(True)),
            line(960000, "2024-07-15", "2025-07-15", 8, today(False)),
        )
        source = opened(tmp_path, customers=listed(CUSTOMERS), subscriptions=listed([SUBSCRIPTION]), invoices=listed([invoice(*lines)]))  # fmt: skip
        assert rows_of(source, "subscriptions", *COLUMNS) == EXPECTED
        assert rows_of(source, "invoices", "invoice_id", "event_time", "status", "amount") == [
            ("in_1", "2024-01-15 00:00:00", "open", 6000.0),
            ("in_1", "2024-02-25 00:00:00", "paid", 6000.0),
        ]
        assert rows_of(source, "accounts", "account_id", "event_time", "domain", "country") == [
            ("cus_1", "2024-01-01 00:00:00", "acme.example", "US")
        ]

    def test_an_object_a_line_with_lines_as_they_were(self, tmp_path: Path) -> None:
        before = {"subscription": "sub_1", "proration": False}
        lines = (
            line(600000, "2024-01-15", "2025-01-15", 5, before),
            line(960000, "2024-07-15", "2025-07-15", 8, before),
        )
        source = opened(
            tmp_path,
            customers="\n".join(map(json.dumps, CUSTOMERS)),
            subscriptions=[SUBSCRIPTION],
            invoices=json.dumps(invoice(*lines)) + "\n",
        )
        assert rows_of(source, "subscriptions", *COLUMNS) == EXPECTED
