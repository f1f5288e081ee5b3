"""Section ``training`` of the configuration."""

import logging
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from tempogan_eddy.config_data import Section

__all__ = ["TrainingConfig"]

log = logging.getLogger(__name__)


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"Input should be auto, cpu, mps, cuda or one of several, cuda:1, not {name}")
    return name


class TrainingConfig(Section):
    """The training loop."""

    data_root: str | list[str] = Field(
        "./data/digital_typhoon", description="a folder, file or glob of raw data, a list of such, or a packed store"
    )
    batch_size: int = Field(16, ge=1, le=65536, description="windows a step, of all processes together")
    patch_size: int = Field(64, ge=8, le=8192, description="patch side in highres pixels")
    context: int = Field(
        0, ge=0, le=64, description="lowres pixels around a patch that the generator sees and the losses do not"
    )
    sequence_length: Literal[3] = Field(3, description="frames a window: t-1, t, t+1")
    epochs: int = Field(100, ge=1)
    steps_per_epoch: int = Field(50, ge=1, description="optimiser steps that make an epoch")
    max_minutes: float = Field(0.0, ge=0, description="stop after so many minutes, as after the last epoch; 0: never")
    start_from: str | None = Field(
        None, description="a model (.safetensors or .pth) whose generator the training begins with"
    )
    warm_up: int = Field(
        200, ge=0, description="with start_from and new discriminators: the first steps, which train only these"
    )
    teacher: str | None = Field(
        None,
        description="a model trained on content alone, whose frames replace the truth in the content loss",
    )
    pretrain_epochs: int = Field(10, ge=0, description="content loss only, before the discriminators join")
    lr_g: float = Field(1e-4, gt=0, description="learning rate of the generator")
    lr_d: float = Field(1e-4, gt=0, description="learning rate of both discriminators")
    beta1: float = Field(0.5, ge=0, lt=1, description="momentum of Adam; 0.5 as tempoGAN")
    lr_schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="linear: decay over the second half, as tempoGAN; cosine: over all of the run"
    )
    lambda_content: float = Field(1.0, ge=0, description="weight of the content loss")
    content_distance: Literal["l1", "l2"] = Field(
        "l1", description="content loss: l1 leads to the median of what fits, l2 to the mean, with the least RMSE"
    )
    lambda_mean: float = Field(1.0, ge=0, description="model.tails = 2: weight of the squared error of the mean frame")
    lambda_adv_s: float = Field(0.001, ge=0, description="weight of the spatial adversarial loss")
    lambda_adv_t: float = Field(0.001, ge=0, description="weight of the temporal adversarial loss; ensembles: 0")
    align_windows: bool = Field(
        True, description="Dt sees t-1 and t+1 moved onto t by the flow, as tempoGAN; false: as they are, to compare"
    )
    temporal_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of a batch's windows that Dt judges; the others need no frames beside theirs",
    )
    lambda_feature: float = Field(0.0, ge=0, description="weight of the loss in the feature space of Ds")
    lambda_spectral: float = Field(
        0.0,
        ge=0,
        description="weight of the divergence of each frame's power spectrum from its truth's; try 1e-3. Of an "
        "ensemble: weight of the energy score of the modes; try 0.3",
    )
    lambda_traces: float = Field(
        0.0,
        ge=0,
        description="weight of the loss on traces of the lowres grid: detail that depends on the place within a lowres "
        "pixel; try 1",
    )
    lambda_patches: float = Field(0.15, ge=0, description="ensembles: weight of the energy score of 8x8 patches")
    lambda_steps: float = Field(0.4, ge=0, description="ensembles: weight of the CRPS of the steps to the next pixels")
    lambda_coldest: float = Field(
        0.5, ge=0, description="ensembles: weight of the CRPS below 235 K of the coldest pixels of windows of 16 and 48"
    )
    lambda_relative: float = Field(
        0.2, ge=0, description="ensembles: weight of the CRPS of pixels over the spread of the 3x3 lowres pixels there"
    )
    members: int = Field(2, ge=2, le=64, description="ensembles: members of each sample in a step")
    d_steps: int = Field(1, ge=1, le=64, description="discriminator steps for each generator step")
    gradient_frames: Literal[1, 3] = Field(
        1, description="frames of a window that the generator learns from in a step: all, or the middle one"
    )
    accumulate: int = Field(1, ge=1, le=1024, description="batches whose gradients make one step")
    augment: bool = Field(True, description="flips and quarter turns, the same for a window and its flow")
    shift_blocks: bool = Field(
        False,
        description="patches begin at any highres pixel, so the blocks of the lowres pixels lie elsewhere each time",
    )
    ema_decay: float = Field(0.999, ge=0, lt=1, description="moving average of the generator; 0 turns it off")
    grad_clip: float = Field(
        0.1, ge=0, description="largest norm of the generator's gradient, about three times the usual one; 0: no limit"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the device computes it natively, else fp32"
    )
    device: Annotated[str, AfterValidator(_known_device)] = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    compile: bool = Field(
        False, description="compute the networks through torch.compile, on a GPU with CUDA graphs; first steps are slow"
    )
    num_workers: int = Field(0, ge=0, le=1024, description="processes that load data beside the training")
    seed: int = Field(0, ge=0)
    validation_frames: int = Field(4, ge=1, description="fixed full frames scored after every epoch")
    score: Literal["lsd_within_rmse", "rmse", "lsd", "last", "crps"] = Field(
        "lsd_within_rmse",
        description="what 'best' means: the least LSD of the models within max_rmse (while there is none, the least "
        "RMSE), the least RMSE, the least LSD, the last epoch, or (ensembles, always) the least CRPS",
    )
    max_rmse: float = Field(
        1.15, gt=0, description="lsd_within_rmse: the largest RMSE of a best model, in units of bicubic's RMSE"
    )
    early_stopping_patience: int = Field(0, ge=0, description="epochs without a better score that stop a run; 0: never")
    checkpoint_every: int = Field(10, ge=1, description="epochs between checkpoint_epoch_N.pth")
    keep_checkpoints: int = Field(
        10, ge=1, description="how many checkpoint_epoch_N.pth to keep: the last, and the best by the score"
    )
    checkpoint_dir: str = "./checkpoints"
    log_dir: str = "./logs"
    image_every: int = Field(5, ge=1, description="epochs between lowres, generated and true pictures in TensorBoard")

    @field_validator("score", mode="before")
    @classmethod
    def _replaces_balanced(cls, value: Any) -> Any:
        if value != "balanced":
            return value
        log.warning("training.score = balanced no longer exists; lsd_within_rmse takes its place")
        return "lsd_within_rmse"
