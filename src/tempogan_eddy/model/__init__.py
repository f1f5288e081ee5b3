"""Networks, advection and losses: pure functions and modules, without files or configuration parsing."""
