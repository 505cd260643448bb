"""How well two orders agree."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(first, second):
    """Spearman's, of numbers (n,) each; NaN where either is constant, or there is only one."""
    ranks = rankdata(first), rankdata(second)
    vary = all(len(rank) and np.ptp(rank) > 0 for rank in ranks)
    return float(np.corrcoef(*ranks)[0, 1]) if vary else np.nan
