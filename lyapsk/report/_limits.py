"""Numbers that the command line checks without importing torch."""

DEFAULT_NETWORKS = 150
"""Networks that the demo trains."""
MINIMUM_NETWORKS = 10
"""Networks that a cross-validation takes at least."""
ENOUGH_NETWORKS = 30
"""Networks from which on scores tell something."""
N_SEQUENCES = 4
"""Driving sequences of each spectrum."""
