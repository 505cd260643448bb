"""What is reported of a population of networks, and how."""

from ._csv import to_csv

__all__ = ["to_csv"]
