"""`python -m bridge`: the service; with --check, a question to the one that runs."""

import asyncio
import sys

from bridge import check, service

if __name__ == "__main__":
    sys.exit(asyncio.run(check.check()) if sys.argv[1:] == ["--check"] else service.main())
