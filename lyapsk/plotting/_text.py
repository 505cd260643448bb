"""Numbers in the text of figures."""


def with_minus(text):
    """With minus signs for hyphens, as matplotlib writes numbers."""
    return text.replace("-", "\N{MINUS SIGN}")
