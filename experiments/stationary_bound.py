"""The least error of frames that hold no traces of the lowres grid, beside the distortion-spectrum bound.

    python -m experiments.stationary_bound [--sensor area] [--frames 8]

The distortion-spectrum bound compares Fourier modes one by one, so it allows a frame whose modes depend on each other.
But modes that differ by multiples of the lowres sampling wavenumber are independent wherever statistics do not depend
on the place within a lowres pixel, as in real scenes. For such a vector of scale x scale modes, let S be the diagonal
matrix of the truth's energies, and K the covariance of the regression `faithful`, each mode scaled to be the best
estimate of the truth's. A frame with covariance S errs by at least tr S + tr S - 2 tr (S^1/2 K S^1/2)^1/2 (Gelbrich
1990). The bound of modes one by one has the diagonal of K in place of K. Printed: how many percent the first RMSE is
above the second. Covariances are means over overlapping windows of 16 x 16 lowres pixels of all frames.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.sensors import SCALE, SEQUENCES, frames_of
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.reconstruction import Reconstructor

SIDE = 16 * SCALE  # of a window, pixels


def alias_vectors(frame: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return the modes of all windows, those that alias to one lowres mode together: (16 x 16, SCALE^2, windows)."""
    views = np.lib.stride_tricks.sliding_window_view(frame, (SIDE, SIDE))[:: SIDE // 2, :: SIDE // 2]
    windows = views.reshape(-1, SIDE, SIDE).astype(np.float64)
    taper = np.outer(*[np.hanning(SIDE + 1)[:-1]] * 2)
    modes = np.fft.fft2((windows - windows.mean((1, 2), keepdims=True)) * taper)
    low = SIDE // SCALE
    aliases = modes.reshape(-1, SCALE, low, SCALE, low).transpose(2, 4, 1, 3, 0)
    return aliases.reshape(low * low, SCALE * SCALE, -1)


def cost_of_independence(truth: NDArray[np.complex128], regression: NDArray[np.complex128]) -> float:
    """Return the percent by which the least RMSE of independent modes lies above the distortion-spectrum bound.

    Parameters
    ----------
    truth, regression
        Vectors of modes (lowres modes, M, windows).
    """
    count = truth.shape[-1]
    amplitude = np.sqrt((np.abs(truth) ** 2).mean(-1))
    crossed = np.einsum("nmw,nmw->nm", truth, regression.conj()).real / count
    own = regression @ regression.conj().swapaxes(1, 2) / count
    # The regression, each mode times the factor with which it is the best estimate of the truth's.
    factor = amplitude * crossed / np.einsum("nii->ni", own).real
    known = factor[:, :, None] * own * factor[:, None]
    one_by_one = np.sqrt(np.einsum("nii->ni", known).real).sum()
    total = 2 * np.square(amplitude).sum()
    least = total - 2 * np.sqrt(np.maximum(np.linalg.eigvalsh(known), 0)).sum()
    return float(100 * (np.sqrt(least / (total - 2 * one_by_one)) - 1))


def main() -> None:
    """Print one line for each sequence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensor", default="area")
    parser.add_argument("--frames", type=int, default=8)
    options = parser.parse_args()
    sensor = SensorModel.parse(options.sensor, SCALE)
    faithful = Reconstructor("faithful", sensor=sensor)
    for name, place in SEQUENCES.items():
        frames = frames_of(*place, options.frames)
        seen = [
            sensor.apply(torch.from_numpy(frame), torch.Generator().manual_seed(number)).numpy()
            for number, frame in enumerate(frames)
        ]
        vectors = [
            np.concatenate([alias_vectors(frame) for frame in some], axis=-1)
            for some in (frames, [faithful(lowres[None])[0] for lowres in seen])
        ]
        print(f"{name}: {cost_of_independence(*vectors):.1f} % ({vectors[0].shape[-1]} windows)", flush=True)


if __name__ == "__main__":
    main()
