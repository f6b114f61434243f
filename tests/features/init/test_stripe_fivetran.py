"""stripe:fivetran on a few customers of our own: trial, upgrade, notice, end, cents and yen, failed and late payments."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import left_out_lines
from tests.kit.exports import Rows
from tests.kit.init_rows import initialised, rows_of

SYNCED = "2025-06-30 00:00:00"
BASE = {"livemode": "true", "_fivetran_synced": SYNCED}
SUB = {**BASE, "customer_id": "cus_1", "status": "active", "trial_end": None, "canceled_at": None, "ended_at": None}
INV = {**BASE, "customer_id": "cus_1", "currency": "usd", "status": "paid", "is_deleted": "false", "due_date": None}
LINE = {**BASE, "currency": "usd", "proration": "false", "quantity": "5", "subscription_id": "sub_1"}
FILES: dict[str, Rows] = {
    "customer": [
        {**BASE, "id": "cus_1", "created": "2024-01-01 10:00:00", "name": "Acme", "email": "pay@Acme.example", "is_deleted": "false"},
        {**BASE, "id": "cus_2", "created": "2024-01-02 10:00:00", "name": "Kaisha", "email": "x@gmail.com", "is_deleted": "false"},
        {**BASE, "id": "cus_3", "created": "2024-01-03 10:00:00", "name": "Gone", "email": None, "is_deleted": "true"},
    ],
    "subscription": [
        {**SUB, "id": "sub_1", "start_date": "2024-01-01 10:00:00", "trial_end": "2024-01-15 10:00:00", "status": "canceled", "canceled_at": "2024-12-20 09:00:00", "ended_at": "2025-01-15 10:00:00"},
        {**SUB, "id": "sub_2", "customer_id": "cus_2", "start_date": "2024-03-01 00:00:00"},
        {**SUB, "id": "sub_3", "customer_id": "cus_2", "start_date": "2024-03-01 00:00:00", "status": "incomplete_expired"},
    ],
    "subscription_item": [
        {"id": "si_1", "subscription_id": "sub_1", "plan_id": "p_year", "quantity": "8"},
        {"id": "si_2", "subscription_id": "sub_2", "plan_id": "p_yen", "quantity": "2"},
    ],
    "price": [
        {**BASE, "id": "p_year", "currency": "usd", "unit_amount": "120000", "recurring_interval": "year", "recurring_interval_count": "1", "product_id": "prod", "nickname": "Team"},
        {**BASE, "id": "p_yen", "currency": "jpy", "unit_amount": "3000", "recurring_interval": "month", "recurring_interval_count": "3", "product_id": "prod", "nickname": None},
    ],
    "product": [{"id": "prod", "name": "Suite"}],
    "invoice": [
        {**INV, "id": "in_1", "created": "2024-01-15 10:00:00", "total": "600000", "due_date": "2024-02-14 10:00:00"},
        {**INV, "id": "in_2", "created": "2024-07-15 10:00:00", "total": "4050", "status": "open"},
        {**INV, "id": "in_3", "created": "2024-07-16 10:00:00", "total": "100", "status": "draft"},
    ],
    "invoice_line_item": [
        {**LINE, "id": "il_1", "invoice_id": "in_1", "amount": "600000", "period_start": "2024-01-15 10:00:00", "period_end": "2025-01-15 10:00:00"},
        {**LINE, "id": "il_2", "invoice_id": "in_2", "amount": "4050", "proration": "true", "period_start": "2024-07-15 10:00:00", "period_end": "2025-01-15 10:00:00"},
        {**LINE, "id": "il_3", "invoice_id": "in_4", "amount": "960000", "quantity": "8", "period_start": "2024-07-15 10:00:00", "period_end": "2025-07-15 10:00:00"},
    ],
    "charge": [
        {"id": "ch_1", "invoice_id": "in_1", "created": "2024-02-20 10:00:00", "status": "failed"},
        {"id": "ch_2", "invoice_id": "in_1", "created": "2024-02-25 10:00:00", "status": "succeeded"},
    ],
}  # fmt: skip  # one record a line


class TestRows:
    def test_subscriptions_bring_what_their_invoices_say(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "stripe:fivetran", FILES)
        columns = ("subscription_id", "event_time", "status", "mrr", "seats", "plan", "product")
        assert rows_of(source, "subscriptions", *columns) == [
            ("sub_1", "2024-01-01 10:00:00", "trial", 0.0, None, "Team", "Suite"),
            ("sub_1", "2024-01-15 10:00:00", "active", 500.0, 5, "Team", "Suite"),  # 6000.00 a year
            ("sub_1", "2024-07-15 10:00:00", "active", 800.0, 8, "Team", "Suite"),  # the upgrade, not before it
            ("sub_1", "2024-12-20 09:00:00", "notice", 800.0, 8, "Team", "Suite"),
            ("sub_1", "2025-01-15 10:00:00", "ended", 0.0, 8, "Team", "Suite"),
            ("sub_2", "2024-03-01 00:00:00", "active", 2000.0, 2, "p_yen", "Suite"),  # 2 x 3000 yen a quarter
        ]

    def test_without_lines_the_newest_price_is_told_as_a_decision(self, tmp_path: Path) -> None:
        files = {name: rows for name, rows in FILES.items() if name != "invoice_line_item"}
        source = initialised(tmp_path, "stripe:fivetran", files)
        found = rows_of(source, "subscriptions", "subscription_id", "event_time", "status", "mrr")
        assert found[1] == ("sub_1", "2024-01-15 10:00:00", "active", 800.0)
        assert "the newest price and quantity of its items" in (tmp_path / "source/subscriptions.sql").read_text()

    def test_invoices_are_paid_on_the_day_of_their_charge(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "stripe:fivetran", FILES)
        assert rows_of(source, "invoices", "invoice_id", "event_time", "status", "amount", "due_time") == [
            ("in_1", "2024-01-15 10:00:00", "open", 6000.0, "2024-02-14 10:00:00"),
            ("in_1", "2024-02-20 10:00:00", "failed", 6000.0, "2024-02-14 10:00:00"),
            ("in_1", "2024-02-25 10:00:00", "paid", 6000.0, "2024-02-14 10:00:00"),
            ("in_2", "2024-07-15 10:00:00", "open", 40.5, None),
        ]

    def test_customers_and_what_is_left_out(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "stripe:fivetran", FILES)
        assert rows_of(source, "accounts", "account_id", "event_time", "domain") == [
            ("cus_1", "2024-01-01 10:00:00", "acme.example"),
            ("cus_2", "2024-01-02 10:00:00", None),  # a free mail provider's domain is nobody's
        ]
        assert [(x.table, x.rows) for x in left_out_lines(source)] == [
            ("accounts", 1),
            ("invoices", 1),
            ("subscriptions", 1),
        ]
