"""The training loop: steps, validation, checkpoints, logging."""
