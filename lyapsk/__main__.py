"""The command line, ``python -m lyapsk``."""

import argparse
import sys

from . import __version__
from .demo._command import add_command
from .exceptions import LyapskError


def main(arguments=None):
    """Run one command; the exit code is 0, or 1 after an error, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(
        prog="python -m lyapsk", description="Lyapunov spectra of recurrent networks."
    )
    parser.add_argument("--version", action="version", version=f"lyapsk {__version__}")
    add_command(parser.add_subparsers(metavar="command", required=True))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (LyapskError, ImportError, OSError) as error:
        print(f"lyapsk: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lyapsk: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
