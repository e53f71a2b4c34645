"""``python -m litellm_memory`` is the command ``litellm-memory``."""

import sys

from litellm_memory import __version__


def main() -> None:
    """Runs the command line. The version alone is told at once, without loading it."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    from litellm_memory.cli import app

    app()


if __name__ == "__main__":
    main()
