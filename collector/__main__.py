"""`python -m collector`: the service; with arguments, one of its commands."""

import sys

if __name__ == "__main__":
    # A command need not wait for the import of everything that serves HTTP.
    if sys.argv[1:]:
        from collector import commands

        sys.exit(commands.main(sys.argv[1:]))
    from collector import service

    sys.exit(service.main())
