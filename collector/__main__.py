"""Runs the command line, as ``python -m collector`` and as ``genai-collector``."""

import sys

_INTERRUPTED = 130  # what a shell says of a program that SIGINT ended


def run() -> None:
    """Run the command line; an interrupt while the program is being loaded ends it without a word."""
    try:
        from collector.allocator import economise  # noqa: PLC0415 - loading takes a second, in which users interrupt

        economise()  # before all that makes Arrow's values when it is imported
        from collector.cli import main  # noqa: PLC0415

        main(prog_name="genai-collector")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    run()
