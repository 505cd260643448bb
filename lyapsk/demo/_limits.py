"""Numbers that the command line checks without importing torch."""

DEFAULT_NETWORKS = 150
MINIMUM_NETWORKS = 10
LARGEST_SEED = 2**32 - 1
