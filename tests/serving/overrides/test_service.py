"""Putting a person's judgement beside a score: what fits, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.champion import Champions
from serving.errors import Conflict, Declined, Invalid, NotFound
from serving.overrides import repository, service
from serving.overrides.schemas import OverrideRequest
from serving.store.connect import Store

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
    return service.put(store, Champions(home), entity, "acme", given, NOW)


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


def test_withdrawing_says_whether_there_was_one(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    assert service.withdraw(store, "churn-risk", "account", "acme", NOW + 1)
    assert not service.withdraw(store, "churn-risk", "account", "acme", NOW + 2)
