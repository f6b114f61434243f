"""What a person says when they put their judgement beside a score."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from features.kit.clock import SECOND_US
from serving.overrides.repository import Override
from serving.overrides.schemas import OverrideRequest, shown_override

GOOD: dict[str, Any] = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "j.doe"}


def read(**changed: Any) -> OverrideRequest:
    return msgspec.json.decode(msgspec.json.encode({**GOOD, **changed}), type=OverrideRequest)


def test_without_an_end_it_holds_until_it_is_withdrawn() -> None:
    assert read() == OverrideRequest("churn-risk", "low", "They signed.", "j.doe", None)
    assert read(author=None).author is None
    assert read(until="2026-12-31").until == "2026-12-31"


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "no"},
        {"reason": "x" * 1001},
        {"reason": "a\0bc"},
        {"author": ""},
        {"author": "x" * 101},
        {"author": "\0"},
        {"model": "x" * 61},
        {"until": "x" * 41},
        {"color": "red"},
        {"band": None},
    ],
)
def test_what_breaks_a_rule_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(**changed)


def test_it_is_shown_with_its_times_in_utc() -> None:
    override = Override("churn-risk", "account", "acme", "low", "They signed.", "j.doe", 0, 60 * SECOND_US)
    shown = shown_override(override)
    assert (shown.set_at, shown.until) == ("1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z")
