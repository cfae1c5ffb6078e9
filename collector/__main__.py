"""`python -m collector`: the service; with a word behind it, one of its commands."""

import sys

if __name__ == "__main__":
    # A command need not wait until all that serves HTTP has been imported.
    if sys.argv[1:]:
        from collector import commands

        sys.exit(commands.main(sys.argv[1:]))
    from collector import service

    sys.exit(service.main())
