"""Train from the command line or from Python.

From scratch:      python train.py
From a checkpoint: python train.py --resume checkpoints/checkpoint_epoch_50.pth   (or --resume auto)
In Python:         from train import TempoGANTrainer
                   TempoGANTrainer("configs/config.json").train(resume_from="./checkpoints/checkpoint_epoch_50.pth")
"""

import sys

from tempogan_eddy.cli import main
from tempogan_eddy.training.trainer import TempoGANTrainer

__all__ = ["TempoGANTrainer"]

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
