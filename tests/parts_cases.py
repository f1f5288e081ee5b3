"""A sequence that counts its frames, and a command beside the test: for outputs that are written in parts."""

import os
import signal
import subprocess
import sys

import numpy as np

FRAMES = 24


class Counting:
    """A lazy copy of a sequence that counts the blocks of frames that are computed, and can fail at one."""

    def __init__(self, sequence, fail_at=None, error=None, at_once=1):
        self.computed = []

        def block(values, block_info=None):
            number = block_info[0]["chunk-location"][0]
            if number == fail_at:
                raise error or RuntimeError("stopped")
            self.computed.append(number)
            return values

        data = sequence.chunk({"time": at_once}).data
        self.sequence = sequence.copy(data=data.map_blocks(block, dtype="f4", meta=np.empty((0, 0, 0), "f4")))


class Deadly:
    """Parts that kill the process that writes the one of a frame and row, once."""

    def __init__(self, inner, mark, place):
        self.inner, self.mark, self.place = inner, mark, place
        self.frames, self.rows = inner.frames, inner.rows

    def missing(self, parts):
        return self.inner.missing(parts)

    def write(self, part, kelvins):
        if (part.frames.start, part.rows.start) == self.place and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.inner.write(part, kelvins)

    def finish(self):
        self.inner.finish()


def command(*words, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    small = "from tempogan_eddy.io.formats import zarr; zarr.PIXELS_OF_SHARD = 8192"
    program = f"{small}; from tempogan_eddy.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], stderr=subprocess.PIPE, text=True, env=environment, **options
    )
