"""salesforce:fivetran on a small company of our own, with history tables and without."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import left_out_lines
from tests.kit.exports import Rows
from tests.kit.init_rows import initialised, rows_of

A, B = "001A0000000000AAAA", "001B0000000000AAAA"
FAR = "9999-12-31 23:59:59"
ACCOUNTS: Rows = [
    {"id": A, "is_deleted": "false", "master_record_id": None, "name": "Acme", "type": "Customer", "industry": "Retail", "number_of_employees": "90", "owner_id": "005E", "website": "acme.example", "created_date": "2024-01-05 09:00:00", "system_modstamp": "2024-08-01 00:00:00", "_fivetran_synced": "2024-09-01 00:00:00"},
    {"id": B, "is_deleted": "true", "master_record_id": None, "name": "Gone", "type": "Prospect", "industry": None, "number_of_employees": None, "owner_id": "005E", "website": None, "created_date": "2024-01-06 09:00:00", "system_modstamp": "2024-08-02 00:00:00", "_fivetran_synced": "2024-09-01 00:00:00"},
]  # fmt: skip  # one record a line


def version(row: dict[str, str | None], start: str, end: str = FAR, **changed: str | None) -> dict[str, str | None]:
    return {
        **row,
        **changed,
        "_fivetran_start": start,
        "_fivetran_end": end,
        "_fivetran_active": str(end == FAR).lower(),
    }


ACME, GONE = (dict(row) for row in ACCOUNTS)
ACCOUNT_HISTORY: Rows = [
    version(ACME, "2024-02-01 00:00:00", "2024-05-01 11:59:59", type="Prospect", number_of_employees="40"),
    version(ACME, "2024-05-01 12:00:00"),
    version(GONE, "2024-02-01 00:00:00", "2024-06-01 00:00:00", is_deleted="false"),
    version(GONE, "2024-06-01 00:00:00"),
]
DEAL: dict[str, str | None] = {"id": "006A", "is_deleted": "false", "account_id": A, "stage_name": "Closed Won", "amount": "500", "close_date": "2024-05-20 00:00:00", "type": "New Business", "is_closed": "true", "is_won": "true", "created_date": "2024-03-01 08:00:00", "system_modstamp": "2024-07-01 00:00:00", "_fivetran_synced": "2024-09-01 00:00:00"}  # fmt: skip
OPEN = {"stage_name": "Proposal", "amount": "400", "is_closed": "false", "is_won": "false"}
DEAL_HISTORY: Rows = [
    version(DEAL, "2024-03-10 00:00:00", "2024-05-21 09:59:59", **OPEN),
    version(DEAL, "2024-05-21 10:00:00"),
    version({**DEAL, "id": "006B", "created_date": "2023-01-01 00:00:00", "close_date": "2023-06-30 00:00:00"}, "2024-02-01 00:00:00"),
]  # fmt: skip
LEADS: Rows = [
    version({"id": "00QA", "is_deleted": "false", "company": "Acme", "status": "New", "is_converted": "false", "converted_date": None, "converted_account_id": None, "converted_opportunity_id": None, "lead_source": "Web", "created_date": "2024-01-20 10:00:00"}, "2024-02-01 00:00:00", "2024-03-01 07:59:59"),
    version({"id": "00QA", "is_deleted": "false", "company": "Acme", "status": "Qualified", "is_converted": "true", "converted_date": "2024-03-01 00:00:00", "converted_account_id": A, "converted_opportunity_id": "006A", "lead_source": "Web", "created_date": "2024-01-20 10:00:00"}, "2024-03-01 08:00:00"),
]  # fmt: skip


class TestHistory:
    def test_accounts_are_as_they_were_and_deleted_ones_are_counted(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "salesforce:fivetran", {"account": ACCOUNTS, "account_history": ACCOUNT_HISTORY})
        assert rows_of(source, "accounts", "account_id", "event_time", "kind", "employees", "owner") == [
            (A, "2024-01-05 09:00:00", None, 40, None),
            (A, "2024-02-01 00:00:00", "prospect", 40, "005E"),
            (A, "2024-05-01 12:00:00", "customer", 90, "005E"),
        ]
        assert [(x.table, x.rows) for x in left_out_lines(source)] == [("accounts", 1)]

    def test_deals_and_leads_change_when_they_did(self, tmp_path: Path) -> None:
        files = {"account": ACCOUNTS, "opportunity_history": DEAL_HISTORY, "lead_history": LEADS, "lead": LEADS[1:]}
        source = initialised(tmp_path, "salesforce:fivetran", files)
        assert rows_of(source, "opportunities", "opportunity_id", "event_time", "stage", "status", "amount", "lead_id") == [
            ("006A", "2024-03-01 08:00:00", "not known", "open", None, "00QA"),
            ("006A", "2024-03-10 00:00:00", "Proposal", "open", 400.0, "00QA"),
            ("006A", "2024-05-21 10:00:00", "Closed Won", "won", 500.0, "00QA"),
            ("006B", "2023-01-01 00:00:00", "not known", "open", None, None),
            ("006B", "2023-07-01 00:00:00", "Closed Won", "won", 500.0, None),  # closed before its history began
        ]  # fmt: skip
        assert rows_of(source, "leads", "lead_id", "event_time", "status", "account_id") == [
            ("00QA", "2024-01-20 10:00:00", "open", None),
            ("00QA", "2024-02-01 00:00:00", "open", None),
            ("00QA", "2024-03-01 08:00:00", "converted", A),
        ]


class TestNewestState:
    def test_without_history_what_changes_is_known_from_the_last_sync_on(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "salesforce:fivetran", {"account": ACCOUNTS, "opportunity": [DEAL]})
        assert rows_of(source, "accounts", "account_id", "event_time", "kind", "employees", "owner") == [
            (A, "2024-01-05 09:00:00", None, 90, None),
            (A, "2024-09-01 00:00:01", "customer", 90, "005E"),
        ]
        assert rows_of(source, "opportunities", "event_time", "status", "amount") == [
            ("2024-03-01 08:00:00", "open", None),
            ("2024-05-21 00:00:00", "won", 500.0),
        ]
