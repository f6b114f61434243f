"""Counters of one process."""

from __future__ import annotations

from prometheus_client import generate_latest

from serving.metrics import Metrics


def test_scores_are_counted_by_model_version_and_band() -> None:
    metrics = Metrics()
    for band in ("high", "high", "low"):
        metrics.scored("churn-risk", 3, band)
    metrics.scored("churn-risk", 4, "high")
    page = generate_latest(metrics.registry).decode()
    assert 'accountscore_scores_total{band="high",model="churn-risk",version="3"} 2.0' in page
    assert 'accountscore_scores_total{band="low",model="churn-risk",version="3"} 1.0' in page
    assert 'accountscore_scores_total{band="high",model="churn-risk",version="4"} 1.0' in page


def test_two_apps_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.scored("churn-risk", 3, "high")
    assert "accountscore_scores_total{" not in generate_latest(other.registry).decode()


def test_a_request_of_a_millisecond_has_a_bucket_of_its_own() -> None:
    metrics = Metrics()
    metrics.request_seconds.labels("GET", "/healthz").observe(0.0009)
    page = generate_latest(metrics.registry).decode()
    assert 'accountscore_http_request_seconds_bucket{le="0.001",method="GET",route="/healthz"} 1.0' in page
