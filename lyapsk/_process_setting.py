"""Settings of the whole process, changed for a while by any of its threads."""

from contextlib import contextmanager
from threading import Lock


class ProcessSetting:
    """Changes a setting while at least one thread is inside, and then gives it back.

    If each thread gave back what it had found, one that came while another was inside would leave
    the changed setting behind.

    Parameters
    ----------
    read : callable
        Without arguments; returns the setting.
    write : callable
        Takes what ``read`` returns.
    change : callable
        From the setting that is found to the one that holds inside.
    """

    def __init__(self, read, write, change):
        self._read, self._write, self._change = read, write, change
        self._lock, self._n_inside, self._found = Lock(), 0, None

    @contextmanager
    def changed(self):
        """Within the block the setting is changed."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self):
        with self._lock:
            if self._n_inside == 0:
                self._found = self._read()
                self._write(self._change(self._found))
            self._n_inside += 1

    def _leave(self):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._write(self._found)
