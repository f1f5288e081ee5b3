"""What torchrun starts for test_distributed.py, with a folder of configurations and one of a run that fails."""

import json
import os
import signal
import sys
from pathlib import Path

from tempogan_eddy.cli import main
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset import pack
from tempogan_eddy.training.ensemble import EnsembleTrainer
from tempogan_eddy.training.loop import Trainer
from tempogan_eddy.training.trainer import TempoGANTrainer

RANK, RESTARTS = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]
FAILING_STEP = 3


def train_all(folder):
    """Train what the folder describes, and note which samples this process drew, and how often it packed."""
    write, seen = pack.pack, {"packed": 0}

    def counted(*arguments):
        seen["packed"] += 1
        return write(*arguments)

    pack.pack = counted
    for path in sorted(folder.glob("*.json")):
        config = load_config(path)
        trainer = (EnsembleTrainer if config.model.textures else TempoGANTrainer)(config)
        draw, drawn = trainer.dataset.draw_batch, seen.setdefault(path.stem, [])
        trainer.dataset.draw_batch = lambda indices, draw=draw, drawn=drawn: (
            drawn.append(list(indices)) or draw(indices)
        )
        trainer.train("auto")
    (folder / f"seen-{RANK}").write_text(json.dumps(seen))


def fail(config):
    """Train; rank 1 kills itself in one step, and after the restart asks for an end there."""
    step = Trainer._train_step

    def failing(trainer, batches):
        if RANK == "1" and trainer.step == FAILING_STEP:
            os.kill(os.getpid(), signal.SIGTERM if int(RESTARTS) else signal.SIGKILL)
        return step(trainer, batches)

    Trainer._train_step = failing
    main(["train", "--config", config, "--resume", "auto"])


if __name__ == "__main__":
    folder, failing = sys.argv[1:]
    if RESTARTS == "0":
        train_all(Path(folder))
    fail(failing)
