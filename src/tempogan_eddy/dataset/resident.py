"""The packed store on the training device, from which index arithmetic gathers a whole batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempogan_eddy.dataset.augment import mirrors
from tempogan_eddy.dataset.pack_layout import OUTSIDE
from tempogan_eddy.dataset.patch import Patch, number_patches
from tempogan_eddy.dataset.store import PackedStorm

__all__ = ["ResidentStore"]


class ResidentStore:
    """All frames and flow of a store on one device.

    Parameters
    ----------
    storms
        Held in memory; they stay there.
    scale, margin
        Highres pixels of a lowres pixel, and around a patch, that the sensor sees.
    device
        Where to copy them.
    """

    def __init__(self, storms: Mapping[str, PackedStorm], scale: int, margin: int, device: torch.device) -> None:
        kelvins: dict[str, Any] = {}
        flow: dict[str, Any] = {}
        lowres: dict[str, Any] = {}
        for name, storm in storms.items():
            height, width = (side // scale * scale for side in storm.size)
            kelvins[name] = np.expand_dims(storm.kelvins[:, :height, :width], 1)
            flow[name] = np.concatenate([storm.flow_previous, storm.flow_next], axis=1)
            if storm.lowres is not None:
                lowres[name] = np.expand_dims(storm.lowres[:], 1)
        self.margin = margin
        self.kelvins, self.flow = _Plane(kelvins, margin, device), _Plane(flow, 0, device)
        self.lowres = _Plane(lowres, 0, device) if lowres else None

    def locate(self, patches: Sequence[Patch]) -> dict[str, Tensor]:
        """Return where the pixels of square patches lie, and their numbers: all that `gather` needs."""
        places = {"kelvins": [self.kelvins.place(p, [(frame, 0) for frame in p.frames]) for p in patches]}
        places["flow"], signs = [], []
        for patch in patches:
            up, left, transposed = mirrors(patch.symmetry)
            # Transposed vectors exchange their components.
            components = (1, 0, 3, 2) if transposed else (0, 1, 2, 3)
            places["flow"].append(self.flow.place(patch, [(patch.frames[1], part) for part in components], patch.scale))
            mirrored = (up, left) if transposed else (left, up)
            signs.append([-1 if mirror else 1 for mirror in mirrored])
        if self.lowres:
            places["lowres"] = [self.lowres.place(p, [(frame, 0) for frame in p.frames], p.scale) for p in patches]
        located = {name: torch.from_numpy(np.stack(rows)) for name, rows in places.items()}
        return located | {"signs": torch.from_numpy(np.array(signs, np.int16))} | number_patches(patches)

    def gather(self, located: Mapping[str, Tensor], side: int, scale: int) -> dict[str, Tensor]:
        """Return what `stack_patches` returns for patches of ``side`` highres pixels, on the device."""
        device = self.kelvins.pixels.device
        moved = {
            name: located[name].to(device, non_blocking=True)
            for name in ("kelvins", "flow", "lowres", "signs")
            if name in located
        }
        gathered = {name: value for name, value in located.items() if name not in moved}
        gathered["kelvins"] = self.kelvins.gather(moved["kelvins"], side + 2 * self.margin)
        flow = self.flow.gather(moved["flow"], side // scale).unflatten(1, (2, 2))
        gathered["flow"] = flow * moved["signs"][:, None, :, None, None]
        if self.lowres:
            gathered["lowres"] = self.lowres.gather(moved["lowres"], side // scale)
        return gathered


class _Plane:
    """Arrays (T, C, H, W) by storm in one row of numbers, each frame in a border of OUTSIDE."""

    def __init__(self, arrays: Mapping[str, Any], border: int, device: torch.device) -> None:
        self.border = border
        self.shapes: dict[str, tuple[int, int, int]] = {}  # of a frame: channels, height and width with the border
        self.starts: dict[str, int] = {}
        total = 0
        for name, array in arrays.items():
            channels, height, width = array.shape[1:]
            self.shapes[name] = channels, height + 2 * border, width + 2 * border
            self.starts[name] = total
            total += len(array) * int(np.prod(self.shapes[name]))
        self.pixels = torch.full((total,), OUTSIDE, dtype=torch.int16, device=device)
        for name, array in arrays.items():
            count = len(array) * int(np.prod(self.shapes[name]))
            frames = self.pixels[self.starts[name] : self.starts[name] + count].view(len(array), *self.shapes[name])
            rows, columns = (slice(border, side - border) for side in self.shapes[name][1:])
            frames[..., rows, columns] = torch.from_numpy(np.ascontiguousarray(array)).to(device)

    def place(self, patch: Patch, parts: Sequence[tuple[int, int]], scale: int = 1) -> NDArray[np.int64]:
        """Return where a turned patch begins in each part, (frame, channel), and the steps of its rows and columns.

        ``scale`` is 1 on the highres grid.
        """
        channels, height, width = self.shapes[patch.storm.name]
        # The border of the store is as wide as the margin of the patch.
        top, left, last = (number // scale for number in (patch.top, patch.left, patch.height))
        last += 2 * self.border - 1
        up, back, transposed = mirrors(patch.symmetry)
        corner = (top + up * last) * width + left + back * last
        rows, columns = (-width if up else width), (-1 if back else 1)
        start = self.starts[patch.storm.name] + corner
        begins = [start + (frame * channels + channel) * height * width for frame, channel in parts]
        return np.array([*begins, *((columns, rows) if transposed else (rows, columns))], np.int64)

    def gather(self, places: Tensor, side: int) -> Tensor:
        """Return square patches (B, parts, side, side) at places (B, parts + 2)."""
        steps = places[:, -2:, None] * torch.arange(side, device=places.device)
        rows, columns = steps[:, 0, None, :, None], steps[:, 1, None, None, :]
        return self.pixels[places[:, :-2, None, None] + rows + columns]
