"""Warp frames along a flow (semi-Lagrangian backward look-up)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["advect", "advect_window", "seen_by_flow", "upsample_flow"]


def upsample_flow(flow: Tensor, scale: int) -> Tensor:
    """Interpolate a flow (B, 2, h, w) onto the grid ``scale`` times finer, in pixels of that grid."""
    return functional.interpolate(flow, scale_factor=scale, mode="bilinear", align_corners=False) * scale


def advect(frames: Tensor, flow: Tensor) -> Tensor:
    """Warp frames: ``out(p) = frames(p + flow(p))``, bilinearly.

    Repeat the edge's value beyond it. Differentiable in ``frames``; zero flow is the identity, exactly.

    Parameters
    ----------
    frames
        (B, C, H, W).
    flow
        (B, 2, H, W) in pixels, x right, y down, from the output frame to ``frames``.
    """
    height, width = frames.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=torch.float32) + flow[:, 0].float()
    y = torch.arange(height, device=flow.device, dtype=torch.float32)[:, None] + flow[:, 1].float()
    # grid_sample counts from -1 to 1 between the centres of the outer pixels; a single pixel is everywhere.
    places = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    moved = functional.grid_sample(frames.float(), places, padding_mode="border", align_corners=True)
    # These coordinates round; pixels that do not move must not change.
    still = (flow == 0).all(dim=1, keepdim=True)
    return torch.where(still, frames, moved)


def seen_by_flow(flow: Tensor) -> Tensor:
    """Return the mask (B, 1, H, W), 1 where a flow (B, 2, H, W) points inside the frame and 0 beyond its edge."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside.unsqueeze(1).to(flow.dtype)


def advect_window(window: Tensor, flow: Tensor) -> Tensor:
    """Warp t-1 and t+1 of a three-frame window onto t.

    Parameters
    ----------
    window
        (B, 3, C, H, W).
    flow
        (B, 2, 2, H, W): from t to t-1 and from t to t+1, in pixels of ``window``'s grid.

    Returns
    -------
    Tensor
        (B, 3, C, H, W); the middle frame is untouched.
    """
    before, middle, after = window.unbind(1)
    moved = advect(torch.cat([before, after]), torch.cat([flow[:, 0], flow[:, 1]]))
    before, after = moved.chunk(2)
    return torch.stack([before, middle, after], dim=1)
