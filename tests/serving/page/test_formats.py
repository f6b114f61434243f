"""Dates and money as the settings say."""

from __future__ import annotations

import pytest

from serving.page.formats import MISSING, Formats, count, number, percent

MOMENT = "2026-11-23T23:30:00Z"


@pytest.mark.parametrize(
    ("dates", "shown"), [("iso", "2026-11-23"), ("day-first", "23.11.2026"), ("month-first", "11/23/2026")]
)
def test_a_date_is_written_as_set(dates: str, shown: str) -> None:
    assert Formats(dates=dates).date(MOMENT) == shown


def test_a_moment_is_of_the_zone_and_a_plain_date_of_every_zone() -> None:
    there = Formats(zone="Europe/Berlin")
    assert there.moment(MOMENT) == "2026-11-24 00:30"
    assert there.date("2026-11-23") == "2026-11-23"
    assert there.date(None) == there.moment("") == MISSING


def test_money_of_a_currency_without_a_sign_bears_its_code() -> None:
    assert Formats("CHF").money(1200) == "1,200 CHF"
    assert Formats("EUR").money(-0.4) == "€0"


def test_ends_of_a_share_are_not_rounded_to_certainty() -> None:
    assert percent(0.9999) == "over 99.9 %"
    assert percent(0.00001) == "under 0.1 %"


def test_counts_and_numbers() -> None:
    assert count(1000, "lead") == "1,000 leads"
    assert number(123.456) == "123.5"
