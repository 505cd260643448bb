"""Text from a small grammar, of any length and free of any licence."""

_NOUNS = ("river", "singer", "garden", "stranger", "window", "teacher", "lantern", "doctor")
_VERBS = ("follow", "remember", "answer", "paint", "visit", "forget", "hear", "surprise")
_ADJECTIVES = ("quiet", "golden", "patient", "hidden", "northern", "early")
_JOINTS = (" and ", ", but ", " while ")


def write_text(n_characters, rng):
    """Sentences in which the verb agrees with a subject that may lie far back.

    Parameters
    ----------
    n_characters : int
        Length of the text.
    rng : RandomState

    Returns
    -------
    str
    """
    sentences, n_written = [], 0
    while n_written < n_characters:
        sentences.append(_sentence(rng))
        n_written += len(sentences[-1])
    return "".join(sentences)[:n_characters]


def _sentence(rng):
    first = _clause(rng)
    if rng.rand() < 0.3:
        first += _one_of(_JOINTS, rng) + _clause(rng)
    return first + ". "


def _clause(rng):
    """Subject, perhaps with a relative clause, then verb and object."""
    plural = rng.rand() < 0.5
    subject = _noun_phrase(plural, rng)
    if rng.rand() < 0.3:
        subject += f" that {_verb(plural, rng)} {_noun_phrase(rng.rand() < 0.5, rng)}"
    return f"{subject} {_verb(plural, rng)} {_noun_phrase(rng.rand() < 0.5, rng)}"


def _noun_phrase(plural, rng):
    article = _one_of(("some", "the") if plural else ("a", "the"), rng)
    adjective = f" {_one_of(_ADJECTIVES, rng)}" if rng.rand() < 0.4 else ""
    return f"{article}{adjective} {_one_of(_NOUNS, rng)}{'s' if plural else ''}"


def _verb(plural, rng):
    return _one_of(_VERBS, rng) + ("" if plural else "s")


def _one_of(words, rng):
    return words[rng.randint(len(words))]
