"""Query parameters become a list, or all their faults are told at once."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from models.catalog import get_model
from serving.errors import Invalid
from serving.lists.filters import SORTS, Asked, read, usual_sort
from serving.lists.query import SORTED_BY

CHURN, LEADS = get_model("churn-risk"), get_model("lead-fit")
ALL = [
    ("band", "medium"),
    ("band", "high"),
    ("owner", "j.doe"),
    ("segment.industry", "software & more"),
    ("theme", "usage"),
    ("changed_by", "5"),
    ("value_min", "1e3"),
    ("renewal_within_days", "30"),
    ("renewal_from", "2026-03-01"),
    ("renewal_before", "2026-04-01"),
    ("renewal_known", "yes"),
    ("overridden", "no"),
    ("q", "Acme rob"),
    ("sort", "name"),
    ("order", "desc"),
]


def faults(*params: tuple[str, str]) -> dict[str, str]:
    """What is wrong, by where."""
    with pytest.raises(Invalid) as told:
        read(CHURN, params, ["industry"])
    assert told.value.code == "bad_list"
    return {fault["where"]: fault["rule"] for fault in told.value.more["faults"]}


def test_nothing_given_is_the_usual_list() -> None:
    assert read(CHURN, []) == Asked(read(CHURN, []).query, given=False)
    assert (read(CHURN, []).query.sort, read(LEADS, []).query.sort) == ("value_at_risk", "probability")
    assert usual_sort(CHURN) in SORTS


def test_all_filters_are_read() -> None:
    asked = read(CHURN, ALL, ["industry"])
    query = asked.query
    assert asked.given
    assert (query.bands, query.owner, query.segments) == (
        ("high", "medium"),
        "j.doe",
        (("industry", "software & more"),),
    )
    assert (query.theme, query.changed_by, query.value_min, query.renewal_within_days) == ("usage", 5, 1000.0, 30)
    assert (query.renewal_from, query.renewal_before) == ("2026-03-01", "2026-04-01")
    assert (query.renewal_known, query.overridden) == (True, False)
    assert (query.text, query.text_words(), query.sort, query.descending) == ("Acme rob", ["acme", "rob"], "name", True)


def test_one_list_has_one_canonical_form_that_reads_back() -> None:
    query = read(CHURN, ALL, ["industry"]).query
    assert read(CHURN, [*reversed(ALL)], ["industry"]).query.canonical() == query.canonical()
    pairs = [pair for pair in parse_qsl(query.canonical()) if pair[0] != "model"]
    assert read(CHURN, pairs, ["industry"]).query == query
    for name, value in ALL:  # and leaving one out is another list
        fewer = [pair for pair in ALL if pair != (name, value)]
        assert name == "order" or read(CHURN, fewer, ["industry"]).query.canonical() != query.canonical()


def test_all_faults_are_told_at_once_with_what_is_allowed() -> None:
    found = faults(
        ("colour", "red"),
        ("segment.size", "big"),
        ("band", "purple"),
        ("theme", "weather"),
        ("changed_by", "-1"),
        ("value_min", "much"),
        ("renewal_within_days", "1.5"),
        ("q", ""),
        ("no_score", "erased"),
        ("sort", "shoe_size"),
        ("order", "up"),
        ("limit", "201"),
        ("format", "xml"),
        ("owner", ""),
    )
    assert len(found) == 14
    assert "segment.industry" in found["colour"]
    assert "owner" in found["segment.size"]
    assert found["band"] == "one of high, medium, low"
    assert found["sort"] == f"one of {', '.join(SORTS)}"
    assert found["limit"] == "a whole number from 1 to 200"


@pytest.mark.parametrize("value", ["", "nan", "inf", "-inf", "1_000", "１", "1e16", "x" * 5000])
def test_what_is_no_amount_is_refused(value: str) -> None:
    assert set(faults(("value_min", value))) == {"value_min"}


@pytest.mark.parametrize("value", ["", "0x1", "٣", "9" * 5000, "+5", " 5"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    assert set(faults(("changed_by", value), ("limit", value))) == {"changed_by", "limit"}


@pytest.mark.parametrize("value", ["", "2026-02-30", "2026-3-1", "20260301", "2026-W09-7", "２026-03-01", "0000-01-01"])
def test_what_is_no_day_is_refused(value: str) -> None:
    assert set(faults(("renewal_from", value), ("renewal_before", value))) == {"renewal_from", "renewal_before"}


def test_a_filter_given_twice_is_refused_but_for_bands() -> None:
    assert set(faults(("owner", "a"), ("owner", "b"), ("band", "high"), ("band", "low"))) == {"owner"}


def test_a_refusal_repeats_no_value() -> None:
    canary = "canary-4711"
    given = [
        (name, canary) for name in ("band", "theme", "changed_by", "value_min", "sort", "order", "format", "limit")
    ]
    with pytest.raises(Invalid) as told:
        read(CHURN, [*given, ("x" * 61, canary)])
    assert canary not in str(told.value) + repr(told.value.more)
    assert "x" * 61 not in str(told.value)


def test_every_sort_has_a_column_with_an_index() -> None:
    assert SORTS.keys() == SORTED_BY.keys()
