"""Words that messages share."""


def message_of(error):
    """What an error says, without a period at its end, to go on after."""
    return str(error).rstrip(". \n")


def counted(number, noun):
    """As in "1 network" and "2 networks"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names):
    """As in "RNN, GRU and LSTM"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def shortened(value):
    """The type of a value and the start of what it looks like."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"
