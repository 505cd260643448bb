"""Numbers that the command line shows without importing torch."""

DEFAULT_NETWORKS = 150
