"""netsuite:fivetran on a few customers of our own: invoices with currencies, days, voids, deletes; opportunities."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import left_out_lines
from tests.kit.exports import Rows
from tests.kit.init_rows import initialised, rows_of

SYNCED = "2025-01-01 00:00:00"
C = {"_fivetran_deleted": "FALSE", "_fivetran_active": "TRUE", "_fivetran_synced": SYNCED, "isinactive": "F"}
T = {**C, "type": "CustInvc", "entity": "7", "exchangerate": "1", "closedate": None, "duedate": None, "status": "A"}
FILES: dict[str, Rows] = {
    "netsuite2_customer": [
        {**C, "id": "7", "datecreated": "2024-01-05 9:00:00", "companyname": "Acme", "email": "ap@acme.example", "defaultbillingaddress": "70", "salesrep": "12"},
        {**C, "id": "8", "datecreated": "2024-01-06 9:00:00", "companyname": None, "altname": "Bee", "email": "bee@gmail.com", "defaultbillingaddress": None, "salesrep": None},
        {**C, "id": "9", "datecreated": "2024-01-07 9:00:00", "companyname": "Gone", "email": None, "defaultbillingaddress": None, "salesrep": None, "_fivetran_deleted": "TRUE"},
    ],
    "netsuite2_entity_address": [{**C, "nkey": "70", "country": "US"}],
    "netsuite2_transaction": [
        {**T, "id": "1", "trandate": "2024-02-01 0:00:00", "createddate": "2024-02-03 8:30:00", "duedate": "2024-03-01 0:00:00", "closedate": "2024-03-10 0:00:00", "status": "B", "foreigntotal": "1000", "exchangerate": "1.25"},
        {**T, "id": "2", "trandate": "2024-04-01 0:00:00", "createddate": "2024-04-01 8:30:00", "foreigntotal": None},
        {**T, "id": "3", "trandate": "2024-05-01 0:00:00", "createddate": "2024-05-01 8:30:00", "foreigntotal": "5", "status": "V", "closedate": "2024-05-02 0:00:00"},
        {**T, "id": "4", "trandate": "2024-05-01 0:00:00", "createddate": "2024-05-01 8:30:00", "foreigntotal": "5", "_fivetran_deleted": "TRUE"},
        {**T, "id": "5", "type": "VendBill", "trandate": "2024-05-01 0:00:00", "createddate": "2024-05-01 8:30:00", "foreigntotal": "5"},
        {**T, "id": "6", "trandate": "2024-05-01 0:00:00", "createddate": "2024-05-01 8:30:00", "foreigntotal": None, "entity": None},
        {**T, "id": "20", "type": "Opprtnty", "trandate": "2024-01-10 0:00:00", "createddate": "2024-01-10 8:30:00", "closedate": "2024-01-31 0:00:00", "status": "C", "foreigntotal": "5000"},
        {**T, "id": "21", "type": "Opprtnty", "trandate": "2024-01-11 0:00:00", "createddate": "2024-01-11 8:30:00", "foreigntotal": "50"},
    ],
    "netsuite2_transaction_line": [
        {"id": "0", "transaction": "2", "mainline": "T", "netamount": "-80.5", "entity": "8", "_fivetran_deleted": "FALSE"},
        {"id": "1", "transaction": "2", "mainline": "F", "netamount": "80.5", "entity": "8", "_fivetran_deleted": "FALSE"},
    ],
}  # fmt: skip  # one record a line


class TestRows:
    def test_invoices_in_the_currency_of_the_books(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "netsuite:fivetran", FILES)
        columns = ("invoice_id", "account_id", "event_time", "known_time", "status", "amount", "due_time")
        assert rows_of(source, "invoices", *columns) == [
            ("1", "7", "2024-02-01 00:00:00", "2024-02-03 08:30:00", "open", 1250.0, "2024-03-01 00:00:00"),
            ("1", "7", "2024-03-11 00:00:00", "2024-03-11 00:00:00", "paid", 1250.0, "2024-03-01 00:00:00"),
            ("2", "7", "2024-04-01 00:00:00", "2024-04-01 08:30:00", "open", 80.5, None),
            ("3", "7", "2024-05-01 00:00:00", "2024-05-01 08:30:00", "open", 5.0, None),
            ("3", "7", "2024-05-03 00:00:00", "2024-05-03 00:00:00", "void", 5.0, None),
        ]

    def test_opportunities_close_once_their_day_is_over(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "netsuite:fivetran", FILES)
        assert rows_of(source, "opportunities", "opportunity_id", "event_time", "status", "amount") == [
            ("20", "2024-01-10 08:30:00", "open", None),
            ("20", "2024-02-01 00:00:00", "won", 5000.0),
            ("21", "2024-01-11 08:30:00", "open", None),
            ("21", "2025-01-01 00:00:00", "open", 50.0),
        ]

    def test_customers_and_what_is_left_out(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "netsuite:fivetran", FILES)
        assert rows_of(source, "accounts", "account_id", "event_time", "name", "domain", "country", "owner") == [
            ("7", "2024-01-05 09:00:00", "Acme", "acme.example", "US", None),
            ("7", "2025-01-01 00:00:01", "Acme", "acme.example", "US", "12"),
            ("8", "2024-01-06 09:00:00", "Bee", None, None, None),
            ("8", "2025-01-01 00:00:01", "Bee", None, None, None),
        ]
        assert [(x.table, x.rows) for x in left_out_lines(source)] == [
            ("accounts", 1),
            ("invoices", 1),
            ("invoices", 1),
        ]
