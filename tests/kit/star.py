"""Moments of the runs that are exported."""

from __future__ import annotations

RIPE = "2025-08-14"
"""A horizon, and the 30 days in which a customer may come back, before the end of the data."""
