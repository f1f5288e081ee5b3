"""A sequence that counts its frames, and a command beside the test: for outputs that are written in parts."""

import os
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


def command(*words, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    small = "from tempogan_eddy.io.formats import zarr; zarr.PIXELS_OF_SHARD = 8192"
    program = f"{small}; from tempogan_eddy.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], stderr=subprocess.PIPE, text=True, env=environment, **options
    )
