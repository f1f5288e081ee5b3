"""The reference that speed is told against: the seed's model written the obvious way.

float32, one generator forward for each frame and each use (four for the discriminators, four for the
generator), a tail at high resolution, discriminators without a frozen side, and HDF5 decoded for each sample.
Nothing in the package uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

KELVIN_RANGE = (170.0, 320.0)


class NaiveGenerator(nn.Module):
    """8 residual blocks of 64 channels, then two bilinear x2 upsamplings with a convolution after each."""

    def __init__(self, blocks: int = 8, channels: int = 64) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.upsampling = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.tail = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 1, h, w) to (B, 1, 4 h, 4 w)."""
        features = functional.relu(self.head(frames))
        for block in self.blocks:
            features = features + block(features)
        for convolution in self.upsampling:
            features = functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            features = functional.relu(convolution(features))
        return self.tail(features)


class NaiveDiscriminator(nn.Module):
    """One full-resolution layer and three strides, ending in a probability for each patch."""

    def __init__(self, in_channels: int, channels: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, 3, padding=1), nn.LeakyReLU(0.2)]
        for power in range(3):
            layers += [nn.Conv2d(channels << power, channels << power + 1, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels * 8, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, frames: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 1, H / 8, W / 8)."""
        return self.layers(frames)


class NaiveTraining:
    """Step A and step B, frame by frame."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.generator, self.spatial, self.temporal = NaiveGenerator(), NaiveDiscriminator(2), NaiveDiscriminator(3)
        judges = [*self.spatial.parameters(), *self.temporal.parameters()]
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), 1e-4, foreach=False)
        self.optimizer_d = torch.optim.Adam(judges, 1e-4, foreach=False)

    def step(self, windows: Tensor) -> float:
        """Train once on (B, 3, H, W) scaled frames; the content loss."""
        lowres = functional.avg_pool2d(windows, 4)
        upsampled = functional.interpolate(lowres[:, 1:2], scale_factor=4, mode="bicubic")
        truth = windows[:, 1:2]

        fake, fakes = self.generator(lowres[:, 1:2]).detach(), self._frames(lowres).detach()
        loss = self._bce(self.spatial(torch.cat([truth, upsampled], 1)), 1)
        loss = loss + self._bce(self.spatial(torch.cat([fake, upsampled], 1)), 0)
        loss = loss + self._bce(self.temporal(windows), 1) + self._bce(self.temporal(fakes), 0)
        self.optimizer_d.zero_grad()
        loss.backward()
        self.optimizer_d.step()

        fake, fakes = self.generator(lowres[:, 1:2]), self._frames(lowres)
        content = functional.l1_loss(fake, truth)
        loss = content + 0.001 * self._bce(self.spatial(torch.cat([fake, upsampled], 1)), 1)
        loss = loss + 0.001 * self._bce(self.temporal(fakes), 1)
        self.optimizer_g.zero_grad()
        loss.backward()
        self.optimizer_g.step()
        return content.item()

    def _frames(self, lowres: Tensor) -> Tensor:
        return torch.cat([self.generator(lowres[:, i : i + 1]) for i in range(3)], dim=1)

    @staticmethod
    def _bce(probability: Tensor, target: float) -> Tensor:
        return functional.binary_cross_entropy(probability, torch.full_like(probability, target))


class NaiveLoader:
    """Reads three whole HDF5 frames for each sample and cuts one patch out of them."""

    def __init__(self, files: Sequence[Path], patch: int, seed: int = 0) -> None:
        self.files, self.patch, self.rng = sorted(files), patch, np.random.default_rng(seed)

    def batch(self, size: int) -> Tensor:
        """(B, 3, P, P) scaled frames."""
        return torch.from_numpy(np.stack([self._sample() for _ in range(size)]))

    def _sample(self) -> np.ndarray:
        first = int(self.rng.integers(len(self.files) - 2))
        frames = []
        for path in self.files[first : first + 3]:
            with h5py.File(path) as file:
                frames.append(next(iter(file.values()))[()].astype(np.float32))
        low, high = KELVIN_RANGE
        window = (np.stack(frames) - low) / (high - low)
        top, left = (int(self.rng.integers(side - self.patch + 1)) for side in window.shape[1:])
        return np.ascontiguousarray(window[:, top : top + self.patch, left : left + self.patch])
