"""zendesk:fivetran on a few tickets of our own: field history, first answers, merges, spam, requesters' organizations."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import left_out_lines
from tests.kit.exports import Rows
from tests.kit.init_rows import initialised, rows_of

T = {"organization_id": "1", "requester_id": "20", "priority": "urgent", "merged_ticket_ids": "[]", "_fivetran_synced": "2025-01-01 00:00:00"}  # fmt: skip
FILES: dict[str, Rows] = {
    "organization": [{"id": "1", "created_at": "2024-01-01 00:00:00", "name": "Acme"}, {"id": "2", "created_at": "2024-01-02 00:00:00", "name": "Bee"}],
    "domain_name": [
        {"index": "1", "organization_id": "1", "domain_name": "acme.other.example"},
        {"index": "0", "organization_id": "1", "domain_name": "ACME.example"},
    ],
    "user": [
        {"id": "20", "created_at": "2024-01-03 00:00:00", "email": "a@acme.example", "organization_id": "1", "role": "end-user"},
        {"id": "21", "created_at": "2024-01-03 00:00:00", "email": "b@bee.example", "organization_id": "2", "role": "end-user"},
        {"id": "22", "created_at": "2024-01-03 00:00:00", "email": "x@x.example", "organization_id": None, "role": "end-user"},
        {"id": "99", "created_at": "2024-01-03 00:00:00", "email": "agent@us.example", "organization_id": None, "role": "agent"},
    ],
    "ticket": [
        {**T, "id": "100", "created_at": "2024-06-01 10:00:00", "updated_at": "2024-06-05 10:00:00", "status": "closed", "merged_ticket_ids": "[101]"},
        {**T, "id": "101", "created_at": "2024-06-01 11:00:00", "updated_at": "2024-06-01 12:00:00", "status": "closed"},
        {**T, "id": "102", "created_at": "2024-06-02 11:00:00", "updated_at": "2024-06-02 12:00:00", "status": "deleted"},
        {**T, "id": "103", "created_at": "2024-06-03 11:00:00", "updated_at": "2024-06-04 12:00:00", "status": "hold", "organization_id": None, "requester_id": "21"},
        {**T, "id": "104", "created_at": "2024-06-03 11:00:00", "updated_at": "2024-06-04 12:00:00", "status": "open", "organization_id": None, "requester_id": "22"},
    ],
    "ticket_field_history": [
        {"ticket_id": "100", "field_name": "priority", "value": "low", "updated": "2024-06-01 10:00:00"},
        {"ticket_id": "100", "field_name": "status", "value": "solved", "updated": "2024-06-02 10:00:00"},
        {"ticket_id": "100", "field_name": "priority", "value": "urgent", "updated": "2024-06-03 09:00:00"},
        {"ticket_id": "100", "field_name": "status", "value": "open", "updated": "2024-06-03 09:00:00"},
        {"ticket_id": "100", "field_name": "subject", "value": "x", "updated": "2024-06-03 09:30:00"},
        {"ticket_id": "100", "field_name": "status", "value": "closed", "updated": "2024-06-05 10:00:00"},
    ],
    "ticket_comment": [
        {"id": "1", "ticket_id": "100", "created": "2024-06-01 10:00:00", "user_id": "20", "public": "true"},
        {"id": "2", "ticket_id": "100", "created": "2024-06-01 10:10:00", "user_id": "99", "public": "false"},
        {"id": "3", "ticket_id": "100", "created": "2024-06-01 10:45:00", "user_id": "99", "public": "true"},
    ],
    "satisfaction_rating": [{"ticket_id": "100", "score": "bad", "updated_at": "2024-06-06 10:00:00"}],
}  # fmt: skip  # one record a line
COLUMNS = ("ticket_id", "event_time", "status", "priority", "first_response_minutes", "satisfaction")


class TestRows:
    def test_tickets_change_when_they_did(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "zendesk:fivetran", FILES)
        assert rows_of(source, "tickets", *COLUMNS) == [
            ("100", "2024-06-01 10:00:00", "open", "low", None, None),
            ("100", "2024-06-01 10:45:00", "open", "low", 45, None),  # the note of 10:10 is no answer
            ("100", "2024-06-02 10:00:00", "closed", "low", 45, None),
            ("100", "2024-06-03 09:00:00", "reopened", "urgent", 45, None),
            ("100", "2024-06-05 10:00:00", "closed", "urgent", 45, None),
            ("100", "2024-06-06 10:00:00", "closed", "urgent", 45, 1),
            ("103", "2024-06-03 11:00:00", "open", None, None, None),
            ("103", "2024-06-04 12:00:00", "pending", "urgent", None, None),
        ]
        assert {row for row in rows_of(source, "tickets", "ticket_id", "account_id")} == {("100", "1"), ("103", "2")}

    def test_without_history_a_ticket_closes_when_it_was_last_changed(self, tmp_path: Path) -> None:
        files = {name: rows for name, rows in FILES.items() if name != "ticket_field_history"}
        source = initialised(tmp_path, "zendesk:fivetran", files)
        found = [row[1:4] for row in rows_of(source, "tickets", *COLUMNS) if row[0] == "100"]
        assert found[0] == ("2024-06-01 10:00:00", "open", "urgent")
        assert next(row for row in found if row[1] == "closed")[0] == "2024-06-05 10:00:00"

    def test_organizations_people_and_what_is_left_out(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "zendesk:fivetran", FILES)
        assert rows_of(source, "accounts", "account_id", "event_time", "domain") == [
            ("1", "2024-01-01 00:00:00", "acme.example"),
            ("2", "2024-01-02 00:00:00", None),
        ]
        assert [row[0] for row in rows_of(source, "contacts", "contact_id")] == ["20", "21", "22"]
        assert [(x.table, x.found, x.rows) for x in left_out_lines(source)] == [
            ("contacts", "left out: agents and admins, or deleted", 1),
            ("tickets", "left out: deleted, or spam", 1),
            ("tickets", "left out: merged into another ticket", 1),
            ("tickets", "left out: of nobody with an organization", 1),
        ]
