"""`python -m collector`: the service; with a word behind it, one of its commands."""

import sys

from collector import commands, service

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]) if sys.argv[1:] else service.main())
