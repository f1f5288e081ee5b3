"""The provenance of a reconstruction: attributes that name its model."""

from __future__ import annotations

from pathlib import Path

from tempogan_eddy import __version__
from tempogan_eddy.fingerprint import model_file, sha256
from tempogan_eddy.weights import Model

__all__ = ["provenance"]


def provenance(model: Model) -> dict[str, object]:
    """Return the attributes that name the model of a reconstruction and its training data."""
    low, high = model.specification.kelvin_range
    file = model_file(model.name)
    return {
        "super_resolution_software": f"TempoGAN-Eddy {__version__}",
        "super_resolution_model": Path(model.name).name,
        **({"super_resolution_model_sha256": sha256(file)} if file else {}),
        "super_resolution_training_data": "; ".join(model.metadata.get("training_data", [])) or "not recorded",
        "super_resolution_comment": "Detail finer than the input's pixels is plausible, not observed.",
        "super_resolution_model_version": str(model.metadata.get("version", "")),
        "super_resolution_model_step": int(model.metadata.get("step", 0)),
        "super_resolution_kelvin_range": [low, high],
        **model.sensor.attributes(),
        **({"super_resolution_detail": model.metadata["detail"]} if "detail" in model.metadata else {}),
        "scale": model.specification.scale,
    }
