"""Where the parts of a long output are made: threads, processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from tempogan_eddy.errors import InputError
from tempogan_eddy.extras import require

__all__ = ["Workers"]

log = logging.getLogger(__name__)

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

FORMS = re.compile(r"(?P<kind>local|threads)(:(?P<count>[1-9]\d{0,3}))?|(?P<address>\w+://\S+)")

# Tasks that wait for a worker or are with it: enough that none is idle while the next are prepared.
TASKS_A_WORKER = 4

# A task that fails is tried again after so many seconds each, since disks and networks have bad moments.
PAUSES = (0.2, 1.0)

SECONDS_TO_START = 60


class Workers:
    """Run functions elsewhere. Enter it with ``with``.

    Parameters
    ----------
    where
        ``threads`` or ``threads:N`` of this process; ``local`` or ``local:N`` processes of this machine; or the address
        of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers see the same files under the same paths. N
        is the number of cores by default.

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
        self.count = int(form["count"] or _cores())
        self._threads = form["kind"] == "threads"
        if not self._threads:
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
        if self._threads:
            pool = ThreadPoolExecutor(self.count)
            self._stack.callback(pool.shutdown, cancel_futures=True)
            return pool
        distributed = require("distributed")
        cluster: Any = self.address
        if cluster is None:
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
        waiting: dict[Future[Result], tuple[Shared, Item]] = {}
        tasks = iter(tasks)
        while True:
            for shared, item in islice(tasks, max(0, self._room() - len(waiting))):
                waiting[self._pool.submit(_tried, function, self._share(shared), item)] = shared, item
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                shared, item = waiting.pop(future)
                try:
                    yield shared, item, future.result()
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


def _same(value: Shared) -> Shared:
    return value


def _tried(function: Callable[[Shared, Item], Result], shared: Shared, item: Item) -> Result:
    for pause in PAUSES:
        try:
            return function(shared, item)
        except Exception as error:
            log.debug("Tried again after %g s: %s", pause, error)
            time.sleep(pause)
    return function(shared, item)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
