"""The header Retry-After."""

from __future__ import annotations

import pytest

from serving.vendors import retry_after as module
from serving.vendors.retry_after import retry_after

MOMENT = "Wed, 21 Oct 2015 07:28:00 GMT"
"""1,445,412,480 s after 1970 (`date -d ... +%s`)."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """90 s before it."""
    monkeypatch.setattr(module, "system_us", lambda: (1_445_412_480 - 90) * 1_000_000)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (MOMENT, 90.0),
        ("Wed, 21 Oct 2015 09:28:00 +0200", 90.0),
        ("Wed, 21 Oct 2015 07:26:00 GMT", 0.0),
        ("21600", 21_600.0),
        ("21601", 21_600.0),
        ("Thu, 22 Oct 2015 07:28:00 GMT", 21_600.0),
    ],
)
def test_seconds_and_dates_are_read_and_more_than_six_hours_is_cut(value: str, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    "value",
    [None, "", "-1", "1.5", "soon", "７", "9" * 10, "Wed, 21 Oct 2015 07:28:00", "Wed, 99 Oct 2015 07:28:00 GMT"],
)
def test_anything_else_is_none(value: str | None) -> None:
    assert retry_after(value) is None
