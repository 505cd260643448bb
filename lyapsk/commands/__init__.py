"""The commands of ``python -m lyapsk``, one file each; torch is imported only when one runs."""

from . import _demo, _doctor, _report, _spectrum

COMMANDS = (_demo, _spectrum, _report, _doctor)
"""Each has ``add_command(commands)``, in the order of the help."""
