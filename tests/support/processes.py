"""Programs that tests start and send signals to."""

from __future__ import annotations

import signal


def heed_signals() -> None:
    """For `preexec_fn`: Ctrl-C and a lost terminal end the program, as when a person starts it.

    A test run in a shell's background ignores the one, under nohup the other: so do its children.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
