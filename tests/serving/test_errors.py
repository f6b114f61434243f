"""Errors of serving: what a client is told, and whether trying again helps."""

from __future__ import annotations

from serving.errors import (
    BatchBusy,
    DiskTrouble,
    Invalid,
    NotFound,
    NotLive,
    ServingError,
    StaleInput,
    StoreAway,
    invalid,
    no_such,
)


def test_what_is_not_there_lists_the_choices_for_people_and_for_programs() -> None:
    error = no_such("model", ["churn-risk", "lead-fit"])
    assert isinstance(error, NotFound)
    assert (str(error), error.code) == ("no such model: one of churn-risk, lead-fit", "no_such_model")
    assert error.more == {"choices": ["churn-risk", "lead-fit"]}


def test_what_breaks_a_rule_names_the_place_the_rule_and_the_next_step() -> None:
    error = invalid("bad_time", "from", "a text", "an ISO time", "send 2026-01-01")
    assert isinstance(error, Invalid)
    assert str(error) == "from: a text. Rule: an ISO time. Next: send 2026-01-01."
    assert error.more["faults"] == [
        {"where": "from", "found": "a text", "rule": "an ISO time", "next_step": "send 2026-01-01"}
    ]


def test_trying_again_helps_where_something_is_away_or_busy_and_not_where_a_request_is_wrong() -> None:
    assert {kind.retryable for kind in (StoreAway, NotLive, BatchBusy, DiskTrouble)} == {True}
    assert {kind.retryable for kind in (ServingError, NotFound, Invalid, StaleInput)} == {False}


def test_a_scheduler_tells_busy_stale_and_disk_apart_by_the_exit_code() -> None:
    assert [kind.exit_code for kind in (BatchBusy, StaleInput, DiskTrouble)] == [5, 6, 7]
