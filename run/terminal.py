"""Lets Ctrl-C reach one process alone."""

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def foreground() -> Iterator[None]:
    """Be the terminal's only foreground process meanwhile, if there is a terminal.

    Otherwise Ctrl-C would interrupt `make` as well, which reports that as an error. Ctrl-Z is
    ignored: `make` would not notice that this process is stopped, and the shell not come back.
    """
    with contextlib.ExitStack() as stack:
        try:
            terminal = os.open("/dev/tty", os.O_RDWR)
            stack.callback(os.close, terminal)
            before = os.tcgetpgrp(terminal)
        except OSError:  # no terminal
            yield
            return
        if before != os.getpgrp():  # a background job, which Ctrl-C does not reach anyway
            yield
            return
        for number in (signal.SIGTTOU, signal.SIGTSTP):
            stack.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
            stack.callback(os.setpgid, 0, before)
        os.tcsetpgrp(terminal, os.getpgrp())
        stack.callback(_give_back, terminal, before)
        yield


def _give_back(terminal: int, group: int) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        os.tcsetpgrp(terminal, group)
