"""Synthetic storms: a simulation that gives brightness temperature and the true motion behind it."""

from tempogan_eddy.synthesis.archive import synthesize
from tempogan_eddy.synthesis.storm import simulate_storm

__all__ = ["simulate_storm", "synthesize"]
