"""Train from the command line or from Python.

From scratch:      python train.py
From a checkpoint: python train.py --resume checkpoints/checkpoint_epoch_50.pth   (or --resume auto)
In Python:         from tempogan_eddy import TempoGANTrainer   (or: from train import TempoGANTrainer)
                   TempoGANTrainer("configs/config.json").train(resume_from="./checkpoints/checkpoint_epoch_50.pth")
To resume by editing this file, put the two lines of Python in place of those under `if __name__`.
"""

import sys

__all__ = ["TempoGANTrainer"]

if __name__ == "__main__":
    from tempogan_eddy.cli import main  # first, as it handles signals from then on

    sys.argv.insert(1, "train")
    main()

from tempogan_eddy.training.trainer import TempoGANTrainer
