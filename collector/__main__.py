"""`python -m collector`: the service; with arguments, one of its commands."""

import signal
import sys

if __name__ == "__main__":
    # A command need not wait for the import of everything that serves HTTP.
    if sys.argv[1:]:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Ctrl-C meanwhile needs no traceback; `main` undoes this.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from collector import commands

        sys.exit(commands.main(sys.argv[1:]))
    from collector import workers

    sys.exit(workers.main())
