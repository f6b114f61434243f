"""What a column's name says of when it is known."""

from __future__ import annotations

import pytest

from features.audit.names import reading_of, words_of


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("CloseDate", "end"),
            ("closedate", "end"),
            ("hs_closed_amount", "end"),
            ("Churn Reason", "end"),
            ("winLossNotes", "end"),
            ("win_back_discount", "end"),
            ("cancel_requested_at", "end"),
            ("totalRefunded", "end"),
            ("Time to Resolution", "end"),
            ("Elapsed Days In Sales Stage", "step"),
            ("Ratio Days Qualified To Total Days", "step"),
            ("salescycleweeks", "step"),
            ("hs_time_in_presentationscheduled", "step"),
            ("days_to_purchase", "step"),
            ("actualvalue", "after"),
            ("final_invoice_amount", "after"),
            ("exit_survey", "end"),
            ("stepname", "state"),
            ("Customer Status", "state"),
            ("duration", "length"),
        ],
    )
    def test_names_of_what_is_known_late_are_read_by_kind(self, name: str, kind: str) -> None:
        reading = reading_of(name)
        assert reading is not None
        assert reading.kind == kind
        assert set(reading.shown.split()) <= set(words_of(name)), "whole words of the name"

    @pytest.mark.parametrize(
        "name",
        [
            "tenure",
            "days_since_last_login",
            "expected_close_date",
            "tickets_closed_90d",
            "previous_cancellations",
            "win_rate",
            "days_to_renewal",
            "cancel_page_visits",
            "screen_resolution",
            "contract_end_date",
            "refunds_last_12_months",
            "years_in_business",
            "queue_length_at_open",
            "lead_time_days",
            "billing_cycle",
            "sector",
            "closest_branch",
            "wonder",
            "lostock_code",
            "trial_end_date_agreed",
            "promised_delivery_days",
        ],
    )
    def test_what_is_known_beforehand_says_nothing(self, name: str) -> None:
        assert reading_of(name) is None

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("hs_closedLostReason2", ["hs", "closed", "lost", "reason", "2"]),
            ("actualclosedate", ["actual", "close", "date"]),
            ("SLABreached__c", ["sla", "breached"]),
            ("Ratio Days-Identified", ["ratio", "days", "identified"]),
            ("Größe", ["gr", "e"]),
            ("", []),
        ],
    )
    def test_a_name_is_split_into_whole_words(self, name: str, split: list[str]) -> None:
        assert words_of(name) == split
