"""A model with detail of trained size, for tests of what computes it."""

import numpy as np
import torch

from tempogan_eddy.config import load_config
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.weights import Model, build_generator
from training_cases import moving_clouds


def kelvin_frames(frames, height, width, seed=0) -> torch.Tensor:
    """(frames, 1, height, width) kelvin of smooth cloud."""
    clouds = moving_clouds(frames=frames, size=max(height, width, 48), seed=seed).values
    return torch.from_numpy(np.ascontiguousarray(clouds[:, None, :height, :width]))


def detailed_model(scale=4, detail_kelvin=4.0, **settings) -> Model:
    """A generator with random weights that adds detail of ``detail_kelvin`` (RMS) to smooth cloud."""
    config = load_config({"model": {"n_residual_blocks": 3, "channels": 16, "upsample_factor": scale, **settings}})
    torch.manual_seed(0)
    generator = build_generator(config).eval().requires_grad_(False)
    low, high = config.data.kelvin_range
    for parameter in generator.tail.parameters():
        torch.nn.init.normal_(parameter, std=0.01)
    detail = generator.detail(from_kelvin(kelvin_frames(1, 32, 32), (low, high)))
    size = detail.square().mean().sqrt() * (high - low)
    for parameter in generator.tail.parameters():
        parameter *= detail_kelvin / size
    return Model.from_config(
        generator, config, "test", {"version": "0", "step": 7, "training_data": ["clouds", "more clouds"]}
    )


def tf32_is_allowed() -> bool:
    """Whether the convolutions of a GPU may round what goes in."""
    cudnn = torch.backends.cudnn
    return cudnn.conv.fp32_precision != "ieee" if hasattr(cudnn, "conv") else cudnn.allow_tf32


def watch_convolutions(monkeypatch) -> set[str]:
    """What convolutions are from now on, filled as they are computed: "exact" or "as set"."""
    seen, convolve = set(), torch.conv2d

    def watched(*arguments, **options):
        seen.add("as set" if tf32_is_allowed() else "exact")
        return convolve(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    return seen
