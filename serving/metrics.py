"""Counters of one process, in Prometheus' terms: base units, no ids in labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Made once per app, so that two apps in one process do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.scores = Counter(
            "accountscore_scores_total", "Scores given", ["model", "version", "band"], registry=self.registry
        )
        self.record_errors = Counter(
            "accountscore_record_errors_total", "Records of a request that could not be scored", ["model"],
            registry=self.registry,
        )  # fmt: skip
        self.not_recorded = Counter(
            "accountscore_decisions_not_recorded_total", "Scores given without a decision record, the store being away",
            registry=self.registry,
        )  # fmt: skip
        self.webhook_events = Counter(
            "accountscore_webhook_events_total", "Events of CRMs by what became of them", ["connection", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.swaps = Counter(
            "accountscore_champion_swaps_total", "Champions taken or refused", ["model", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.ready = Gauge("accountscore_ready", "1 when some model serves", registry=self.registry)
