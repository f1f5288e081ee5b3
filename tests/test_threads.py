"""What several threads of a process may do at once; opening and writing files is in test_io_threads.py."""

import copy
import logging
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tempogan_eddy import TyphoonDataset
from tempogan_eddy.dataset.sensor_bank import DESCRIPTION
from tempogan_eddy.io.files import urls
from tempogan_eddy.io.frames import FrameStack
from tempogan_eddy.io.messages import collected_warnings
from tempogan_eddy.model.conditioned import ConditionedGenerator
from tempogan_eddy.model.tempogan import DRAWING_WEIGHTS
from tempogan_eddy.quiet import ignored_warnings
from tempogan_eddy.shared_setting import SharedSetting
from tempogan_eddy.training.batches import step_batches
from tempogan_eddy.training.networks import build_networks
from training_cases import small_config, write_storms

THREADS = 4


@pytest.fixture
def many_switches():
    """Threads that interrupt each other as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(work, count=THREADS):
    """Call a function with the number of each thread, in threads at once; return what they return."""
    results = {}
    threads = [threading.Thread(target=lambda n=n: results.setdefault(n, work(n))) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number in range(count)]


@contextmanager
def elsewhere(context):
    """Stay in a context of another thread."""
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with context:
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(20)
    try:
        yield
    finally:
        leave.set()
        thread.join()


def test_functions_give_in_threads_what_they_give_alone(tmp_path):
    script = Path(__file__).with_name("working_in_threads.py")
    ran = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "all as alone\n"), ran.stderr[-2000:]


def test_a_thread_that_ignores_warnings_ignores_its_own():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with elsewhere(ignored_warnings()):
            warnings.warn("of this thread", UserWarning, stacklevel=1)
        with ignored_warnings("of THIS"):
            warnings.warn("of this thread, ignored", UserWarning, stacklevel=1)
            warnings.warn("another", UserWarning, stacklevel=1)
        warnings.warn("of this thread, later", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["of this thread", "another", "of this thread, later"]


def test_threads_that_leave_in_another_order_leave_the_filters_as_they_were():
    with ignored_warnings():
        pass
    before = list(warnings.filters)
    inner = ignored_warnings("one")
    with elsewhere(ignored_warnings("two")):
        inner.__enter__()
    inner.__exit__(None, None, None)
    assert list(warnings.filters) == before


def test_a_filter_that_was_set_later_does_not_come_before_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ignored_warnings():
            warnings.warn("ignored", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="seen"):
            warnings.warn("seen", UserWarning, stacklevel=1)


def test_the_last_thread_restores_a_shared_setting():
    setting = {"threads": 8}

    @contextmanager
    def one():
        before, setting["threads"] = setting["threads"], 1
        yield
        setting["threads"] = before

    shared = SharedSetting(one)
    with elsewhere(shared):
        shared.__enter__()
    assert setting == {"threads": 1}
    shared.__exit__(None, None, None)
    assert setting == {"threads": 8}


def test_while_one_thread_collects_warnings_those_of_another_reach_the_default_handler(monkeypatch):
    said = []
    last = logging.Handler(logging.WARNING)
    last.emit = lambda record: said.append(record.getMessage())
    monkeypatch.setattr(logging, "lastResort", last)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger("tempogan_eddy"), "handlers", [])
    with elsewhere(collected_warnings()):
        logging.getLogger("tempogan_eddy.io").warning("of this thread")
    assert said == ["of this thread"]


@pytest.mark.usefixtures("many_switches")
def test_masked_pixels_are_counted_once_each():
    frame = np.full((2, 2), 250, np.float32)
    frame[0, 0] = 500
    frames = 400
    stack = FrameStack(Path("clouds.nc"), lambda number: frame, (frames, 2, 2), valid_kelvin=(160, 330))
    tallies = in_threads(lambda number: [stack[t, :, :] is None or stack.take_tally() for t in range(frames)])
    counted = [tally for each in tallies for told in each for tally in told.values()]
    assert sum(tally[0] for tally in counted) == 4 * frames
    assert sum(tally[1] for tally in counted) == frames


def test_pixels_masked_in_a_frame_that_several_processes_read_are_counted_once(caplog):
    frame = np.full((2, 2), 250, np.float32)
    frame[0, 0] = 500
    ours = FrameStack(Path("clouds.nc"), lambda number: frame, (2, 2, 2), valid_kelvin=(160, 330))
    copies = [copy.copy(ours) for _ in range(3)]
    for each in copies:
        each._counted, each._fresh = set(), {}  # as in another process
        each[:, :, :]
        ours.add_tally(each.take_tally())
    ours.report()
    assert "2 pixels (25 %, 500.0 to 500.0 K)" in caplog.text
    caplog.clear()
    ours.report()
    assert not caplog.text


def test_copies_of_several_threads_lie_in_one_folder_that_stays(tmp_path, monkeypatch):
    def make():
        time.sleep(0.05)
        return tempfile.TemporaryDirectory(dir=tmp_path)

    monkeypatch.setattr(urls, "_folder", cache(make))
    copies = in_threads(lambda number: urls.new_copy(f"s3://bucket/{number}.nc"))
    assert all(copy.parent.is_dir() for copy in copies)
    assert len({copy.parent.parent for copy in copies}) == 1


@pytest.mark.usefixtures("many_switches")
def test_trainings_that_begin_at_once_draw_the_same_weights(tmp_path):
    config = small_config(tmp_path, tmp_path / "data")

    def weights(number):
        networks = build_networks(config)
        parts = (networks.generator, networks.spatial, networks.temporal)
        return torch.cat([value.flatten() for part in parts for value in part.state_dict().values()])

    first, *others = in_threads(weights)
    assert all(torch.equal(first, other) for other in others)


def test_weights_are_drawn_by_one_thread_at_a_time_and_batches_draw_no_shared_numbers(tmp_path):
    conditioned = ConditionedGenerator(DESCRIPTION, 1, 4, 8)
    folding = threading.Thread(target=conditioned.folded, args=(torch.zeros(DESCRIPTION),))
    (tmp_path / "data").mkdir()
    storms = write_storms(tmp_path / "data", frames=4)
    config = small_config(tmp_path, storms)
    dataset = TyphoonDataset(storms, "train", config)
    with DRAWING_WEIGHTS:
        before = torch.get_rng_state()
        folding.start()
        next(step_batches(dataset, config.training, 0, 1))
        assert torch.equal(torch.get_rng_state(), before)
    folding.join()
    assert not torch.equal(torch.get_rng_state(), before)
