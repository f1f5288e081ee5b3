"""Sequences to windows to patches: packed store, splits, sensor model, flow, augmentation."""
