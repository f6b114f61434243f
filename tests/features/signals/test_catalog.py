"""Every signal is described, and named once."""

from __future__ import annotations

import pytest

from features.signals.catalog import definitions, signals
from features.signals.signal import THEMES, UNITS


class TestCatalog:
    def test_names_are_unique_per_entity(self) -> None:
        for entity in ("account", "lead"):
            names = [d.signal.name for d in definitions(entity)]  # type: ignore[arg-type]
            assert len(names) == len(set(names))

    def test_at_least_eighty_signals_when_windows_of_one_template_count_once(self) -> None:
        templates = {
            "_".join(p for p in s.name.split("_") if not (p.endswith("d") and p[:-1].isdigit())) for s in signals()
        }
        assert len(templates) >= 80

    @pytest.mark.parametrize("signal", signals(), ids=lambda s: s.name)
    def test_every_signal_is_described_in_full(self, signal: object) -> None:
        from features.signals.signal import Signal

        assert isinstance(signal, Signal)
        assert signal.theme in THEMES
        assert signal.unit in UNITS
        assert signal.missing
        assert signal.label
        assert signal.phrase.some.endswith(".")
        assert signal.window == "before as_of" or "as_of" in signal.window
        assert signal.tables
        if signal.phrase.negative:
            assert "{size}" in signal.phrase.negative
        if signal.unit == "change":
            assert signal.phrase.negative, "a change can be negative"

    def test_every_theme_has_signals(self) -> None:
        assert {s.theme for s in signals()} == set(THEMES) - {"custom"}
