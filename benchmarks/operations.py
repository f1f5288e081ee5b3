"""Count the operations that a training step dispatches in fp32, on any machine the same number.

Those that only give a new view of values, such as ``detach`` and ``slice``, start no kernel; the others start about one
each on a GPU.

``python -m benchmarks.operations [DATA [section.key=value ...]]`` prints a table, by default for a simulated storm.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.timing import Task
from benchmarks.training import Ours
from tempogan_eddy.config import Config, load_config
from tempogan_eddy.synthesis import synthesize

SCALAR_READ = "aten::_local_scalar_dense"
VIEWS = {"aten::_unsafe_view", "aten::lift_fresh"}  # views that torch does not mark as such
CASES = {"content": (False, 48), "adversarial": (True, 16)}


class Operations(TorchDispatchMode):
    """Count dispatched operations by name, backward passes included, and those among them that start a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.kernels = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation and compute it."""
        name = func.name().partition(".")[0]
        self.counts[name] += 1
        self.kernels += not (func.is_view or name in VIEWS or name.startswith("profiler::"))
        return func(*args, **(kwargs or {}))

    @property
    def scalar_reads(self) -> int:
        """How often a value was read from a tensor, which waits for the device."""
        return self.counts[SCALAR_READ]


def count_operations(task: Task) -> Operations:
    """Run a task once and return what it dispatched."""
    with Operations() as operations:
        task()
    return operations


def configuration(data: str, folder: Path, windows: int, conditioned: bool, *overrides: str) -> Config:
    """The shipped configuration on some data, for one sensor or for every sensor."""
    places = [f"training.data_root={data}", f"data.cache_dir={folder}/cache"]
    places += [f"training.{name}_dir={folder}/{name}" for name in ("checkpoint", "log")]
    fixed = ["rules={}", "by=time", "guard_hours=0", "validation_fraction=0.3", "test_fraction=0"]
    fixed = [*(f"data.split.{text}" for text in fixed), "training.validation_frames=1", "training.device=cpu"]
    # Casts to bf16 would come on top, where a device has it.
    fixed += ["training.precision=fp32"]
    # The width of a layer changes its cost and not the number of operations.
    fixed += ["model.channels=8", "model.discriminator_channels=8", f"training.batch_size={windows}"]
    fixed += ["model.conditioned=true", "sensor.random=true"] if conditioned else []
    config = Path(__file__).parent.parent / "configs/config.json"
    return load_config(config, [*places, *fixed, *overrides])


def measure(config: Config, adversarial: bool) -> tuple[Operations, Operations]:
    """The operations to load a step and to train it, after a step that prepares the optimisers."""
    ours = Ours(config, adversarial)
    ours.step()
    batches: list[Any] = []
    loading = count_operations(lambda: batches.append(ours.load()))
    return loading, count_operations(lambda: ours.train(batches[0]))


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, *overrides = arguments or [str(folder / "storms")]
        if not arguments:
            synthesize(folder / "storms", storms=1, frames=24, size=128)
        heads = ("windows", "load", "kernels", "reads", "train", "kernels", "reads")
        print(f"{'step':24}" + "".join(f"{head:>8}" for head in heads))
        for conditioned in (False, True):
            for case, (adversarial, windows) in CASES.items():
                config = configuration(data, folder, windows, conditioned, *overrides)
                load, train = measure(config, adversarial)
                parts = [(part.counts.total(), part.kernels, part.scalar_reads) for part in (load, train)]
                label = case + ", conditioned" * conditioned
                print(f"{label:24}" + "".join(f"{number:8d}" for number in (windows, *parts[0], *parts[1])))


if __name__ == "__main__":
    main(sys.argv[1:])
