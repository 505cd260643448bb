"""Words of one error within those of another."""


def message_of(error):
    """What an error says, without a period at its end, to go on after."""
    return str(error).rstrip(". \n")
