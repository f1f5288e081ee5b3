"""Synthetic storms: simulated brightness temperature with its true motion."""

from tempogan_eddy.synthesis.archive import synthesize
from tempogan_eddy.synthesis.storm import simulate_storm

__all__ = ["simulate_storm", "synthesize"]
