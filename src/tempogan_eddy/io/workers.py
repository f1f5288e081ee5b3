"""Where the parts of a long task are computed: threads, processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

import dask

from tempogan_eddy.errors import InputError
from tempogan_eddy.extras import require
from tempogan_eddy.io.messages import collected_records
from tempogan_eddy.shared_setting import SharedSetting
from tempogan_eddy.wording import count

__all__ = ["Failures", "Workers", "cores", "tried"]

log = logging.getLogger(__name__)

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

FORMS = re.compile(
    r"(?P<kind>local|threads|processes)(:(?P<count>[1-9]\d{0,3}))?|(?P<address>(tcp|tls|ucx|wss?)://\S+:\d+)"
)

# Tasks that wait for a worker or are with it: enough that none is idle while the next are prepared.
TASKS_A_WORKER = 4

# A task that fails is tried again after so many seconds each, since disks and networks have bad moments.
PAUSES = (0.2, 1.0)

SECONDS_TO_START = 60

# Windows cannot fork.
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"

# Dask's own watching takes a tenth of a core; nobody looks at the profile of a worker of one command. Dask also has the
# C library return freed memory at once, which costs a fifth of the time of frames of a few MB: keep up to 1 GiB.
SETTINGS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 25,  # 32 MiB, the most that the library takes
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
_SETTINGS = SharedSetting(lambda: dask.config.set(SETTINGS))


class Workers:
    """Run functions elsewhere. Enter it with ``with``.

    Parameters
    ----------
    where
        ``threads`` or ``threads:N`` of this process; ``local`` or ``local:N`` processes of this machine, of which Dask
        replaces those that are killed; or the address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose
        workers see the same files under the same paths. N is the number of cores by default. ``processes:N`` needs no
        Dask, and fails if a process is killed.

    Raises
    ------
    InputError
        The text is none of these, or dask.distributed is not installed.
    """

    def __init__(self, where: str) -> None:
        form = FORMS.fullmatch(where)
        if form is None:
            raise InputError(
                f"--dask is '{where}'; give threads:N, local:N, or a scheduler's address, tcp://HOST:PORT."
            )
        self.where, self.address = where, form["address"]
        self.count = int(form["count"] or cores())
        self._kind = form["kind"]
        if self._kind not in ("threads", "processes"):
            require("distributed")
        self._client: Any = None
        self._shared: tuple[object, Any] = (None, None)

    def __enter__(self) -> Workers:
        self._stack = ExitStack()
        self._pool: Executor = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._shared = (None, None)
        self._stack.close()

    @classmethod
    @contextmanager
    def entered(cls, where: Workers | str | None) -> Iterator[Workers | None]:
        """Yield workers from a text, those that are running already, or None for this process alone."""
        if not isinstance(where, str):
            yield where
            return
        with cls(where) as workers:
            yield workers

    def _start(self) -> Executor:
        if self._kind in ("threads", "processes"):
            pool: Executor = ThreadPoolExecutor(self.count)
            if self._kind == "processes":
                # A process forked from this one would inherit the locks of torch's and HDF5's threads.
                pool = ProcessPoolExecutor(self.count, multiprocessing.get_context(START), initializer=_begin)
            self._stack.callback(pool.shutdown, cancel_futures=True)
            return pool
        distributed = require("distributed")
        cluster: Any = self.address
        if cluster is None:
            self._stack.enter_context(_SETTINGS)
            cluster = self._stack.enter_context(
                distributed.LocalCluster(
                    n_workers=self.count, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=None,
                    silence_logs=logging.CRITICAL,
                )
            )  # fmt: skip
        try:
            self._client = self._stack.enter_context(
                distributed.Client(cluster, timeout=SECONDS_TO_START, set_as_default=False)
            )
            self._client.wait_for_workers(1, timeout=SECONDS_TO_START)
        except (OSError, TimeoutError, ValueError) as error:
            self._stack.close()
            raise InputError(
                f"No worker of the Dask cluster {self.where} answers; start its scheduler and workers."
            ) from error
        log.info("%d workers, dashboard %s", self._room() // TASKS_A_WORKER, self._client.dashboard_link)
        executor: Executor = self._client.get_executor(pure=False)
        return executor

    def run(
        self, function: Callable[[Shared, Item], Result], tasks: Iterable[tuple[Shared, Item]]
    ) -> Iterator[tuple[Shared, Item, Result | Exception]]:
        """Call a function with each pair; yield the pair and what the function returns or raises, the first done first.

        Take no more pairs than keep the workers busy. A pair is tried three times, and again on another worker if its
        worker is killed, so the function should give the same whether it ran before or not. What follows each other as
        the first of a pair is sent to a worker only once.

        Raises
        ------
        InputError
            The scheduler of the cluster is lost.
        """
        if self._kind == "processes" and START == "forkserver":
            # The server from which processes fork imports the module for all, if it does not run yet.
            multiprocessing.get_context(START).set_forkserver_preload(["__main__", function.__module__])
        run = _heard if self._kind == "threads" else _told
        waiting: dict[Future[tuple[Result, list[logging.LogRecord]]], tuple[Shared, Item]] = {}
        tasks = iter(tasks)
        while True:
            for shared, item in islice(tasks, max(0, self._room() - len(waiting))):
                waiting[self._pool.submit(run, function, self._share(shared), item)] = shared, item
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                shared, item = waiting.pop(future)
                try:
                    result, said = future.result()
                    for record in said:
                        logging.getLogger(record.name).handle(record)
                    yield shared, item, result
                except CancelledError as error:
                    raise InputError(
                        f"The Dask cluster {self.where} is lost; start it and the command again."
                    ) from error
                except Exception as error:
                    yield shared, item, error

    def _room(self) -> int:
        """Return how many tasks may wait or run; the workers of a cluster come and go."""
        workers = self.count if self._client is None else max(1, sum(self._client.nthreads().values()))
        return TASKS_A_WORKER * workers

    def _share(self, shared: object) -> Any:
        if self._client is None:
            return shared
        if self._shared[0] is not shared:
            # A task rather than scattered data: if the worker that holds its result is killed, another repeats it.
            self._shared = shared, self._client.submit(_same, shared, pure=False)
        return self._shared[1]


def _begin() -> None:
    """Use one core; leave Ctrl-C to the first process, and end with it even where it is killed."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _same(value: Shared) -> Shared:
    return value


def _told(
    function: Callable[[Shared, Item], Result], shared: Shared, item: Item
) -> tuple[Result, list[logging.LogRecord]]:
    """Return what a function returns, and the warnings of another process, which nobody would see there."""
    with collected_records() as said:
        return tried(partial(function, shared, item)), said


def _heard(
    function: Callable[[Shared, Item], Result], shared: Shared, item: Item
) -> tuple[Result, list[logging.LogRecord]]:
    """Return what a function returns; this process logs what a thread of it says."""
    return tried(partial(function, shared, item)), []


def tried(function: Callable[[], Result]) -> Result:
    """Return what a function returns at the first try, the second or the third."""
    for pause in PAUSES:
        try:
            return function()
        except Exception as error:
            log.debug("Tried again after %g s: %s", pause, error)
            time.sleep(pause)
    return function()


class Failures:
    """The errors of tasks that failed, while all others go on."""

    def __init__(self) -> None:
        self._errors: list[Exception] = []
        self._kinds: Counter[str] = Counter()

    def add(self, what: str, error: Exception, kind: str = "part", why: object = None) -> None:
        """Log why a task, or another `kind` of thing, failed (what its error says, by default), and keep the error."""
        log.warning("%s failed: %s", what, why or error)
        self._errors.append(error)
        self._kinds[kind] += 1

    def end(self, how: str = "failed after three tries each") -> None:
        """Raise one error for all: the first that is no fault of the input, else the first, with how many failed."""
        others = [error for error in self._errors if not isinstance(error, InputError)]
        if others or len(self._errors) == 1:
            raise (others or self._errors)[0]
        if self._errors:
            number = " and ".join(count(some, kind) for kind, some in self._kinds.items())
            raise InputError(f"{number} {how}; the first: {self._errors[0]}")


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
