"""Touches: whose they are, what they say of the wish to buy, and how that fades."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-05-30"


def touch(kind: str, when: str, direction: str | None = None, person: str | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "account_id": "a",
        "event_time": at(when),
        "direction": direction,
        "contact_id": person,
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    tables = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in ("a", "none")],
        "touches": [
            touch("demo_request", "2024-05-29T12:00", person="p"),
            touch("call", "2024-05-26", person="q"),
            touch("pricing_view", "2024-05-15T12:00", person="q"),
            touch("email_sent", "2024-05-28"),
            touch("call", "2024-05-27", "out", person="r"),
            touch("webinar", "2024-04-10"),
        ],
    }
    names = [
        "inbound_touches_28d",
        "outbound_touches_28d",
        "talks_28d",
        "high_intent_acts_28d",
        "intent_decayed",
        "inbound_change_28d",
        "inbound_per_outbound_84d",
        "days_since_inbound",
        "days_since_high_intent",
        "inbound_kinds_84d",
        "people_engaged_28d",
    ]
    return signals_at(tmp_path_factory.mktemp("company"), tables, AS_OF, *names)


def test_mails_that_we_send_and_what_goes_out_are_ours_and_all_else_is_theirs(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["inbound_touches_28d"], row["outbound_touches_28d"]) == (3.0, 2.0)
    assert row["talks_28d"] == 2.0, "a call counts from either side"
    assert row["inbound_per_outbound_84d"] == 4 / 2


def test_a_step_towards_buying_counts_half_after_14_days(found: dict[str, Any]) -> None:
    assert found["a"]["high_intent_acts_28d"] == 2.0
    assert found["a"]["intent_decayed"] == 1.0 + 0.5


def test_contacts_from_their_side(found: dict[str, Any]) -> None:
    row = found["a"]
    assert row["inbound_change_28d"] == pytest.approx((3 - 1) / 3)
    assert (row["days_since_inbound"], row["days_since_high_intent"]) == (0.0, 0.0)
    assert (row["inbound_kinds_84d"], row["people_engaged_28d"]) == (4.0, 2.0)


def test_without_touches_counts_are_0_and_ages_are_missing(found: dict[str, Any]) -> None:
    row = found["none"]
    assert (row["inbound_touches_28d"], row["intent_decayed"], row["people_engaged_28d"]) == (0.0, 0.0, 0.0)
    assert row["days_since_inbound"] is row["inbound_change_28d"] is row["inbound_per_outbound_84d"] is None
