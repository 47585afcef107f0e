"""Where the command line begins. Nothing else is imported before, so that Ctrl-C amid the imports is a line, and no traceback."""

import atexit
import gc
import sys
from collections.abc import Sequence

STOPPED = 130  # exit code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; see `studyhub.cli.main`."""
    # The process ends without a look through all objects of all libraries for cycles, which takes a second or two.
    atexit.register(gc.freeze)
    try:
        from studyhub.cli import main as run
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
