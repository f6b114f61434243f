"""A sample company of any size from a seed (page to come)."""

from features.simulate.command import simulate_command
from features.simulate.company import simulate

__all__ = ["simulate", "simulate_command"]
