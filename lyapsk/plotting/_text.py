"""Numbers in the text of figures."""

import math


def in_text(number):
    """A number with two digits and a minus sign, or that it is undefined."""
    if math.isnan(number):
        return "undefined"
    return f"{number:.2f}".replace("-", "\N{MINUS SIGN}")
