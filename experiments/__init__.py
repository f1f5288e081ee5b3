"""What was tried and how good it is: ablations, variants, quality studies. Runs are in ``LOG.md``."""
