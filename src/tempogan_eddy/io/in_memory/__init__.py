"""From arrays in memory to sequences, and back to the form of their source."""
