"""Prometheus metrics of one process: base units, no ids in labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""OpenTelemetry's buckets of http.server.request.duration, and two below for answers of a millisecond."""


class Metrics:
    """One set per app, so that two apps in one process do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "accountscore_http_requests_total",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "accountscore_http_request_seconds",
            "From a request's head to the end of its answer",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.signals_age = Gauge(
            "accountscore_signals_age_seconds",
            "Since the moment that the newest stored signals are for",
            ["entity"],
            registry=self.registry,
        )
        self.inbox = Gauge(
            "accountscore_inbox_events", "Events of CRMs that are not settled", ["state"], registry=self.registry
        )
        self.dirty = Gauge(
            "accountscore_dirty_entities", "Entities that changed and wait for their score", registry=self.registry
        )
        self.outbox = Gauge(
            "accountscore_outbox_messages", "Messages to CRMs that are not settled", ["state"], registry=self.registry
        )
        self.set_aside = Gauge(
            "accountscore_set_aside_entities",
            "Entities that cannot be scored, until they change or are put back",
            registry=self.registry,
        )
        self.connection_on = Gauge(
            "accountscore_connection_on",
            "1 when webhooks of the connection are taken, 0 when it has a fault",
            ["connection"],
            registry=self.registry,
        )
        self.scores = Counter(
            "accountscore_scores_total", "Scores given", ["model", "version", "band"], registry=self.registry
        )
        self.record_errors = Counter(
            "accountscore_record_errors_total",
            "Records of a request that could not be scored",
            ["model"],
            registry=self.registry,
        )
        self.not_recorded = Counter(
            "accountscore_decisions_not_recorded_total",
            "Scores given without a decision record, the store being away",
            registry=self.registry,
        )
        self.late_records = Counter(
            "accountscore_decisions_late_total",
            "Scores given before their decision record was kept, the store being locked or slow",
            registry=self.registry,
        )
        self.webhook_events = Counter(
            "accountscore_webhook_events_total",
            "Events of CRMs by what became of them",
            ["connection", "outcome"],
            registry=self.registry,
        )
        self.sign_ins = Counter(
            "accountscore_sign_ins_total",
            "Sign-ins of people by their way, and what became of them",
            ["how", "outcome"],
            registry=self.registry,
        )
        self.swaps = Counter(
            "accountscore_champion_swaps_total",
            "Champions taken or refused",
            ["model", "outcome"],
            registry=self.registry,
        )
        self.ready = Gauge("accountscore_ready", "1 when some model serves", registry=self.registry)
        self.confirmed_age = Gauge(
            "accountscore_champion_confirmed_age_seconds",
            "Since the registry last agreed with the live model",
            ["model"],
            registry=self.registry,
        )
        self._scores: dict[tuple[str, int | None, str], Counter] = {}

    def scored(self, model: str, version: int | None, band: str) -> None:
        """Counts one score. `labels` takes a lock and as long as a sentence of reasons, so the series are cached in a
        dict.
        """
        series = self._scores.get((model, version, band))
        if series is None:
            series = self._scores[model, version, band] = self.scores.labels(model, version, band)
        series.inc()
