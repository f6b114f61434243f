"""Putting a person's judgement beside a score: what fits, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.audit_log.entry import Who
from serving.champion import Champions
from serving.errors import Conflict, Declined, Invalid, NotFound
from serving.gateway.actor import OPEN, Actor
from serving.overrides import repository, service
from serving.overrides.schemas import OverrideRequest
from serving.store.connect import Store
from tests.kit.audited import actions, told

NOW = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""


def put(
    store: Store,
    home: Path,
    *,
    entity: str = "account",
    model: str = "churn-risk",
    band: str = "low",
    until: str | None = None,
) -> repository.Override:
    given = OverrideRequest(model, band, "They signed.", "j.doe", until)
    return service.put(store, Champions(home), entity, "acme", given, NOW)[0]


def test_it_is_kept_under_the_models_own_name_until_the_end_of_its_moment(store: Store, tmp_path: Path) -> None:
    made = put(store, tmp_path, model="churn_risk", until="2026-01-02T02:00:00+02:00")
    assert (made.model, made.until) == ("churn-risk", NOW + 24 * 3600 * 10**6)
    with store.read() as connection:
        assert list(repository.holding(connection, NOW)) == [made]


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"entity": "lead"}, NotFound, "no such model: one of lead-fit"),
        ({"model": "x"}, NotFound, "no such model"),
        ({"band": "purple"}, Invalid, "band: one of high, medium, low"),
        ({"until": "2026-01-01"}, Conflict, "until is over"),
        ({"until": "soon"}, Invalid, "until: a UTC date or time"),
        ({"until": "0001-01-01T00:00:00+23:59"}, Invalid, "until: a UTC date or time"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    store: Store, tmp_path: Path, changed: dict[str, str], kind: type[Declined], said: str
) -> None:
    with pytest.raises(kind, match=said):
        put(store, tmp_path, **changed)  # type: ignore[arg-type]
    with store.read() as connection:
        assert list(repository.holding(connection, NOW)) == []


class TestAuthor:
    def author(self, store: Store, home: Path, by: Who, given: str | None) -> tuple[str, list[str]]:
        sent = OverrideRequest("churn-risk", "low", "They signed.", given, None)
        override, warnings = service.put(store, Champions(home), "account", "acme", sent, NOW, by)
        return override.author, warnings

    @pytest.mark.parametrize("kind", ["key", "person"])
    def test_it_is_who_signed_in_whatever_was_sent(self, store: Store, tmp_path: Path, kind: Any) -> None:
        who = Actor(kind, "3f2a", "Jane Doe")
        for given, warnings in ((None, []), ("Jane Doe", []), ("somebody else", [service.NOT_TAKEN])):
            assert self.author(store, tmp_path, who, given) == ("Jane Doe", warnings)
        after = [after for _, _, _, after in told(store, "override")]
        assert [each["author"] for each in after] == ["Jane Doe"] * 3
        assert [each.get("given_author") for each in after] == [None, None, "somebody else"]

    def test_while_nobody_signs_in_it_is_the_name_that_was_sent(self, store: Store, tmp_path: Path) -> None:
        """As before there were keys: the log says that nobody signed in."""
        assert self.author(store, tmp_path, OPEN, "j.doe") == ("j.doe", [])
        assert self.author(store, tmp_path, OPEN, None) == (OPEN.name, [])
        assert {kind for kind, *_ in told(store, "override")} == {"open"}


def test_the_log_says_what_was_there_before(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    put(store, tmp_path, band="high")
    service.withdraw(store, "churn-risk", "account", "acme", NOW + 1, OPEN)
    (_, _, nothing, low), (_, _, before, high), (kind, name, last, gone) = told(store)
    assert (nothing, gone) == ({}, {})
    assert before == low
    assert last == high
    assert (low["band"], high["band"], low["reason"]) == ("low", "high", "They signed.")
    assert (kind, name) == ("open", "acme")
    assert actions(store) == ["override", "override", "override_withdrawn"]
    assert not service.withdraw(store, "churn-risk", "account", "acme", NOW + 2, OPEN)
    assert len(actions(store)) == 3  # nothing was done


def test_withdrawing_says_whether_there_was_one(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    assert service.withdraw(store, "churn-risk", "account", "acme", NOW + 1)
    assert not service.withdraw(store, "churn-risk", "account", "acme", NOW + 2)
