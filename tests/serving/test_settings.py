"""Settings of serving from the environment: defaults, and every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from serving.settings import Limits, ServingSettings


def settings(home: Path, **env: str) -> ServingSettings:
    named = {f"ACCOUNTSCORE_{name.upper()}": value for name, value in env.items()}
    return ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(home), **named})


def test_without_any_there_are_defaults(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.currency, found.record_decisions, found.max_body_bytes) == ("USD", True, 8 * 1024 * 1024)
    assert (found.stale_after_days, found.stale_after_us, found.max_source_age_days) == (None, None, None)
    assert (found.limits, found.drain_seconds, found.requests_per_minute) == (Limits(), 20.0, 60_000)


def test_an_empty_value_counts_as_none_and_days_are_read_in_microseconds(tmp_path: Path) -> None:
    found = settings(tmp_path, currency="", stale_after_days="2", client_seconds="5", log_requests="yes")
    assert found.currency == "USD"
    assert found.stale_after_us == 2 * 86_400_000_000
    assert found.limits.request_seconds == 5.0
    assert found.log_requests


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", "usd"),
        ("record_decisions", "maybe"),
        ("max_body_bytes", "1023"),
        ("stale_after_days", "0"),
        ("max_source_age_days", "36501"),
        ("requests_per_minute", "-1"),
        ("max_connections", "9"),
        ("client_seconds", "1.5"),
        ("drain_seconds", "²"),
        ("log_format", "xml"),
        ("log_requests", "1"),
    ],
)
def test_what_breaks_its_rule_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"ACCOUNTSCORE_{name.upper()}"):
        settings(tmp_path, **{name: value})


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        settings(tmp_path, currency="euro", log_format="xml", drain_seconds="never")
    assert all(f"ACCOUNTSCORE_{name}" in str(refused.value) for name in ("CURRENCY", "LOG_FORMAT", "DRAIN_SECONDS"))
