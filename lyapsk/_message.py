"""Words that messages share."""


def message_of(error):
    """What an error says, without a period at its end, to go on after."""
    return str(error).rstrip(". \n")


def counted(number, noun):
    """A number of things: one without its plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
