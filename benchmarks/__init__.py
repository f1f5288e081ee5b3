"""Speed and memory: ``python -m benchmarks.bench``."""
