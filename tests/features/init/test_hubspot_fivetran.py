"""hubspot:fivetran on a small portal of our own: property histories, stages, merges, deletes."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import left_out_lines
from tests.kit.exports import Rows
from tests.kit.init_rows import initialised, rows_of

SYNCED = "2025-09-01 00:00:00"
FILES: dict[str, Rows] = {
    "company": [
        {"id": 1, "is_deleted": "false", "_fivetran_synced": SYNCED, "property_name": "Acme", "property_domain": "acme.example", "property_createdate": "2024-01-10 08:00:00", "property_industry": "RETAIL", "property_lifecyclestage": "customer"},
        {"id": 2, "is_deleted": "true", "_fivetran_synced": SYNCED, "property_name": "Gone", "property_domain": None, "property_createdate": "2024-01-11 08:00:00", "property_industry": None, "property_lifecyclestage": None},
    ],
    "company_property_history": [
        {"company_id": 1, "name": "industry", "value": "BANKING", "timestamp": "2024-01-10 08:00:00", "source": "CONTACTS"},
        {"company_id": 1, "name": "lifecyclestage", "value": "lead", "timestamp": "2024-01-10 08:00:00", "source": "CONTACTS"},
        {"company_id": 1, "name": "industry", "value": "RETAIL", "timestamp": "2024-03-01 10:00:00", "source": "CRM_UI"},
        {"company_id": 1, "name": "hubspot_owner_id", "value": "77", "timestamp": "2024-03-02 10:00:00", "source": "CRM_UI"},
        {"company_id": 1, "name": "lifecyclestage", "value": "customer", "timestamp": "2024-05-02 10:00:00", "source": "CRM_UI"},
        {"company_id": 1, "name": "hubspot_owner_id", "value": None, "timestamp": "2024-06-02 10:00:00", "source": "CRM_UI"},
        {"company_id": 2, "name": "industry", "value": "RETAIL", "timestamp": "2024-03-01 10:00:00", "source": "CRM_UI"},
    ],
    "contact": [
        {"id": 10, "_fivetran_deleted": "false", "_fivetran_synced": SYNCED, "property_email": "a@acme.example", "property_createdate": "2024-01-10 08:05:00", "property_jobtitle": "CEO", "property_associatedcompanyid": 1},
        {"id": 11, "_fivetran_deleted": "false", "_fivetran_synced": SYNCED, "property_email": "a2@acme.example", "property_createdate": "2024-01-12 08:05:00", "property_jobtitle": None, "property_associatedcompanyid": 1},
    ],
    "contact_merge_audit": [{"canonical_vid": 10, "contact_id": 10, "vid_to_merge": 11, "timestamp": "2024-02-01 00:00:00"}],
    "contact_property_history": [
        {"contact_id": 10, "name": "lifecyclestage", "value": "lead", "timestamp": "2024-01-10 08:05:00"},
        {"contact_id": 10, "name": "hs_lead_status", "value": "IN_PROGRESS", "timestamp": "2024-01-20 08:05:00"},
        {"contact_id": 10, "name": "lifecyclestage", "value": "customer", "timestamp": "2024-05-02 10:00:01"},
        {"contact_id": 10, "name": "hs_lead_status", "value": "OPEN", "timestamp": "2024-05-03 10:00:01"},
    ],
    "deal": [
        {"deal_id": 100, "is_deleted": "false", "deal_pipeline_stage_id": "s2", "property_amount": "900", "property_closedate": "2024-05-01 22:00:00", "property_createdate": "2024-02-01 00:00:00", "_fivetran_synced": SYNCED},
        {"deal_id": 101, "is_deleted": "false", "deal_pipeline_stage_id": "s1", "property_amount": "5", "property_closedate": None, "property_createdate": "2024-02-02 00:00:00", "_fivetran_synced": SYNCED},
        {"deal_id": 102, "is_deleted": "false", "deal_pipeline_stage_id": "s1", "property_amount": "5", "property_closedate": None, "property_createdate": "2024-02-02 00:00:00", "_fivetran_synced": SYNCED},
    ],
    "deal_stage": [
        {"deal_id": 100, "value": "s1", "date_entered": "2024-02-01 00:00:00", "_fivetran_start": "2024-02-01 00:00:00"},
        {"deal_id": 100, "value": "s2", "date_entered": "2024-05-02 09:00:00", "_fivetran_start": "2024-05-02 09:00:00"},
        {"deal_id": 101, "value": "s1", "date_entered": "2024-02-02 00:00:00", "_fivetran_start": "2024-02-02 00:00:00"},
    ],
    "deal_property_history": [
        {"deal_id": 100, "name": "amount", "value": "700", "timestamp": "2024-02-10 00:00:00"},
        {"deal_id": 100, "name": "amount", "value": "900", "timestamp": "2024-04-10 00:00:00"},
    ],
    "deal_pipeline_stage": [
        {"stage_id": "s1", "label": "Appointment", "closed_won": "false", "is_closed": "false", "probability": "0.2", "pipeline_id": "p"},
        {"stage_id": "s2", "label": "Signed!", "closed_won": "true", "is_closed": "true", "probability": "1.0", "pipeline_id": "p"},
    ],
    "deal_company": [{"deal_id": 100, "company_id": 1, "type_id": 5}],
    "deal_contact": [{"deal_id": 100, "contact_id": 11, "type_id": 5}],
    "merged_deal": [{"deal_id": 101, "merged_deal_id": 102}],
    "engagement_call": [{"engagement_id": 500, "_fivetran_deleted": "false", "property_hs_timestamp": "2024-01-21 10:00:00", "property_hs_createdate": "2024-01-22 10:00:00", "property_hs_call_direction": "INBOUND"}],
    "engagement_contact": [{"engagement_id": 500, "contact_id": 11}],
    "contact_form_submission": [{"contact_id": 10, "timestamp": "2024-01-10 08:05:00", "form_id": 1, "title": "Demo"}],
    "email_event": [
        {"id": "e1", "type": "OPEN", "created": "2024-01-15 10:00:00", "recipient": "A@acme.example", "filtered_event": "false"},
        {"id": "e2", "type": "OPEN", "created": "2024-01-15 10:00:05", "recipient": "A@acme.example", "filtered_event": "true"},
    ],
    "ticket": [{"id": 900, "is_deleted": "false", "property_createdate": "2024-06-01 10:00:00", "property_closed_date": "2024-06-02 10:00:00", "property_first_agent_reply_date": "2024-06-01 10:30:00", "property_hs_ticket_priority": "HIGH", "_fivetran_synced": SYNCED}],
    "ticket_company": [{"ticket_id": 900, "company_id": 1}],
}  # fmt: skip  # one record a line


class TestHistory:
    def test_a_property_holds_from_the_moment_on_at_which_it_was_set(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "hubspot:fivetran", FILES)
        assert rows_of(source, "accounts", "account_id", "event_time", "industry", "kind", "owner", "domain") == [
            ("1", "2024-01-10 08:00:00", "BANKING", "prospect", None, "acme.example"),
            ("1", "2024-03-01 10:00:00", "RETAIL", "prospect", None, "acme.example"),
            ("1", "2024-03-02 10:00:00", "RETAIL", "prospect", "77", "acme.example"),
            ("1", "2024-05-02 10:00:00", "RETAIL", "customer", "77", "acme.example"),
            ("1", "2024-06-02 10:00:00", "RETAIL", "customer", None, "acme.example"),  # the owner was taken away
        ]

    def test_leads_keep_what_they_became(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "hubspot:fivetran", FILES)
        assert rows_of(source, "leads", "lead_id", "event_time", "status", "account_id") == [
            ("10", "2024-01-10 08:05:00", "open", "1"),
            ("10", "2024-01-10 08:05:01", "open", "1"),
            ("10", "2024-01-20 08:05:00", "working", "1"),
            ("10", "2024-05-02 10:00:01", "converted", "1"),
            ("10", "2024-05-03 10:00:01", "converted", "1"),
        ]

    def test_deals_have_their_stages_and_amounts_as_they_were(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "hubspot:fivetran", FILES)
        columns = ("opportunity_id", "event_time", "stage", "status", "amount", "account_id", "lead_id")
        assert [row for row in rows_of(source, "opportunities", *columns) if row[0] == "100"] == [
            ("100", "2024-02-01 00:00:00", "not known", "open", None, "1", "10"),
            ("100", "2024-02-01 00:00:01", "Appointment", "open", None, "1", "10"),
            ("100", "2024-02-10 00:00:00", "Appointment", "open", 700.0, "1", "10"),
            ("100", "2024-04-10 00:00:00", "Appointment", "open", 900.0, "1", "10"),
            ("100", "2024-05-02 09:00:00", "Signed!", "won", 900.0, "1", "10"),
        ]
        assert {row[0] for row in rows_of(source, "opportunities", "opportunity_id")} == {"100", "101"}

    def test_touches_go_to_the_contact_that_was_left_after_a_merge(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "hubspot:fivetran", FILES)
        assert rows_of(source, "touches", "lead_id", "event_time", "known_time", "kind", "direction") == [
            ("10", "2024-01-10 08:05:00", "2024-01-10 08:05:00", "form_fill", "in"),
            ("10", "2024-01-15 10:00:00", "2024-01-15 10:00:00", "email_open", "in"),
            ("10", "2024-01-21 10:00:00", "2024-01-22 10:00:00", "call", "in"),
        ]

    def test_tickets_and_what_is_left_out(self, tmp_path: Path) -> None:
        source = initialised(tmp_path, "hubspot:fivetran", FILES)
        assert rows_of(source, "tickets", "ticket_id", "event_time", "status", "first_response_minutes") == [
            ("900", "2024-06-01 10:00:00", "open", None),
            ("900", "2024-06-01 10:30:00", "pending", 30),
            ("900", "2024-06-02 10:00:00", "closed", 30),
        ]
        assert [(x.table, x.rows) for x in left_out_lines(source)] == [
            ("accounts", 1), ("contacts", 1), ("leads", 1), ("opportunities", 1),
        ]  # fmt: skip


class TestNewestState:
    def test_without_histories_what_changes_is_known_from_the_last_sync_on(self, tmp_path: Path) -> None:
        files = {name: rows for name, rows in FILES.items() if not name.endswith("_history") and name != "deal_stage"}
        source = initialised(tmp_path, "hubspot:fivetran", files)
        assert rows_of(source, "accounts", "account_id", "event_time", "industry", "kind") == [
            ("1", "2024-01-10 08:00:00", "RETAIL", None),
            ("1", "2025-09-01 00:00:01", "RETAIL", "customer"),
        ]
        found = rows_of(source, "opportunities", "opportunity_id", "event_time", "stage", "status", "amount")
        assert [row[1:] for row in found if row[0] == "100"] == [
            ("2024-02-01 00:00:00", "not known", "open", None),
            ("2024-05-01 22:00:00", "Signed!", "won", 900.0),
        ]
