import os
import signal
import threading

import pytest

from studyhub.runner.stop import interruptible, stopping


@pytest.fixture(autouse=True)
def as_a_launch():
    """That a signal came is known to the whole process, until the launch has ended."""
    with interruptible():
        yield


def test_a_stop_that_comes_amid_a_line_waits_for_nobody(tmp_path):
    said, writing, told = [], threading.Lock(), threading.Event()

    def say(message: str) -> None:
        with writing:
            said.append(message)
        told.set()

    with stopping(tmp_path, say) as stop:
        with writing:  # as the process does while it writes an event
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.asked and stop.path.exists() and not said
        assert told.wait(10)
    assert len(said) == 1 and not stop.path.exists()


def test_a_second_signal_ends_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt), stopping(tmp_path, lambda message: None):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")
