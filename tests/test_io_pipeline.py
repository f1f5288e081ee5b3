"""Frames to a writer: one chunk ahead, and an end at any signal."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tempogan_eddy import interrupts
from tempogan_eddy.interrupts import Interrupter, Terminated, signals_held
from tempogan_eddy.io import pipeline, save_sequence
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.pipeline import write_frames


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.fixture
def handlers():
    """The handlers of a program that ends with SIGINT and SIGTERM."""
    handler, before = Interrupter(), signal.getsignal(signal.SIGINT)
    handler.install()
    yield handler
    assert {signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} == {handler}
    handler.uninstall()
    assert signal.getsignal(signal.SIGINT) == before


@pytest.fixture
def slow(make_sequence):
    """A sequence whose chunks take until an event is set, the numbers of the computed ones, and the event."""
    computed, go_on = [], threading.Event()

    def block(block, block_info=None):
        computed.append(block_info[0]["chunk-location"][0])
        go_on.wait(20)
        return block

    sequence = make_sequence(frames=5)
    data = sequence.data.map_blocks(block, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    yield sequence.copy(data=data), computed, go_on
    go_on.set()


@pytest.mark.parametrize("number, error", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_ends_the_loop_between_two_frames(make_sequence, handlers, number, error):
    written = []

    def write(place, frame):
        if place == 2:
            send(number)
            time.sleep(0.01)
        written.append(place)

    with pytest.raises(error):
        write_frames(make_sequence(frames=5), write, lambda done: None)
    assert written == [0, 1, 2]


def test_a_signal_ends_the_wait_for_a_chunk_and_what_is_queued(slow, handlers, monkeypatch):
    sequence, computed, go_on = slow
    monkeypatch.setattr(pipeline, "PATIENCE", 0.2)
    threading.Timer(0.3, send).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        write_frames(sequence, lambda number, frame: None, lambda done: None)
    assert time.monotonic() - started < 5
    go_on.set()
    time.sleep(0.1)
    assert computed == [0]


def test_the_output_is_removed_though_a_chunk_goes_on(slow, handlers, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "PATIENCE", 0.2)
    threading.Timer(0.3, send).start()
    with pytest.raises(KeyboardInterrupt):
        save_sequence(slow[0], tmp_path / "new" / "out.nc")
    assert list(tmp_path.iterdir()) == []


def test_at_most_one_chunk_more_is_computed_after_an_error(make_sequence, in_chunks):
    lazy, computed = in_chunks(make_sequence(frames=9), 1)

    def fail(number, frame):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_frames(lazy, fail, lambda done: None)
    assert computed in ([0], [0, 1])


def test_a_second_signal_does_not_stop_the_cleaning_up(tmp_path, handlers, monkeypatch):
    from tempogan_eddy.io import aside

    remove = aside._remove

    def interrupted(path):
        send()
        remove(path)

    with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "new" / "a.txt", None) as partial:
        partial.write_text("half")
        monkeypatch.setattr(aside, "_remove", interrupted)
        send()
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


def test_held_signals_are_delivered_once_and_the_handlers_of_others_are_left_alone(handlers):
    seen = []
    with pytest.raises(Terminated), signals_held() as held:
        send(signal.SIGTERM)
        send(signal.SIGINT)
        seen.append(held.received)
    assert seen == [signal.SIGTERM]
    previous = signal.signal(signal.SIGINT, lambda *_: seen.append("theirs"))
    with signals_held() as held:
        send()
        assert (held.received, seen[1:]) == (None, ["theirs"])
    signal.signal(signal.SIGINT, previous)


def test_other_threads_hold_nothing(handlers):
    def hold():
        with signals_held() as held:
            found.append((held.received, signal.getsignal(signal.SIGINT)))

    found = []
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert found == [(None, handlers)]


def test_an_interrupt_that_a_library_swallows_is_repeated(handlers, monkeypatch):
    monkeypatch.setattr(interrupts, "REPEAT", 0.05)
    swallowed = []
    with pytest.raises(Terminated):
        try:
            send(signal.SIGTERM)
            time.sleep(1)
        except:  # noqa: E722
            swallowed.append(handlers.received)
        time.sleep(5)
    assert swallowed == [signal.SIGTERM]


def test_a_program_with_nothing_to_clean_up_ends_in_the_handler():
    code = """if True:
        import os, signal, sys, tempfile
        from tempogan_eddy.interrupts import Interrupter, cleaned_up
        Interrupter(at_once=True).install()
        try:
            with cleaned_up():
                os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as error:
            print(type(error).__name__, flush=True)
        os.kill(os.getpid(), signal.SIGINT)
        print("not reached")
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    said = "Error: Terminated; this run leaves nothing unfinished.\n"  # the first signal decides
    assert (result.returncode, result.stdout, result.stderr) == (143, "Terminated\n", said)


def test_an_interrupt_of_a_destructor_is_no_message(handlers, capsys):
    class Library:
        def __del__(self):
            raise KeyboardInterrupt

    Library()
    assert capsys.readouterr().err == ""
