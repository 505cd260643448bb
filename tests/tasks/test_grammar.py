import re

import numpy as np
import pytest

from lyapsk.tasks._grammar import _ADJECTIVES, write_text


@pytest.mark.parametrize("n_characters", [1, 50, 1000])
def test_length_is_as_asked_for(n_characters):
    assert len(write_text(n_characters, np.random.RandomState(0))) == n_characters


def test_verbs_agree_with_subjects_far_back():
    """A plural subject, told by its article or its ending, takes verbs without an ending."""
    text = write_text(100_000, np.random.RandomState(0))
    noun_phrase = rf"(a|some|the)(?: (?:{'|'.join(_ADJECTIVES)}))? (\w+)"
    clauses = re.findall(rf"{noun_phrase} that (\w+) {noun_phrase} (\w+) ", text)
    assert len(clauses) > 300
    for article, noun, near_verb, _, _, far_verb in clauses:
        plural = noun.endswith("s")
        assert article in (("some", "the") if plural else ("a", "the"))
        assert near_verb.endswith("s") == far_verb.endswith("s") == (not plural)
