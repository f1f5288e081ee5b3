"""The discriminators of a model, in a file beside it: what fine-tuning begins with."""

from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind, begins_with
from tempogan_eddy.released import model_file
from tempogan_eddy.safetensors_file import read_safetensors, safetensors_bytes
from tempogan_eddy.training.networks import Networks

__all__ = ["discriminators_path", "load_discriminators", "save_discriminators"]

FORMAT = "tempogan-eddy-discriminators"
NAMES = ("spatial", "temporal")


DISCRIMINATORS = Kind("discriminators", lambda path: begins_with(path, FORMAT))


def discriminators_path(model: Path) -> Path:
    """Return the path of the discriminators of a model file."""
    return model.with_name(f"{model.stem}-discriminators.safetensors")


def save_discriminators(model: Path, networks: Networks) -> None:
    """Write Ds and Dt beside a model file, aside and then renamed."""
    tensors = {f"{name}.{key}": value for name in NAMES for key, value in getattr(networks, name).state_dict().items()}
    with written_aside(discriminators_path(model), DISCRIMINATORS) as partial:
        partial.write_bytes(safetensors_bytes(tensors, {"format": FORMAT}))


def load_discriminators(model: str, networks: Networks) -> bool:
    """Load Ds and Dt that lie beside a model, given as in ``training.start_from``; return whether there are any.

    Raises
    ------
    InputError
        They are damaged, or of another size than those of the configuration.
    """
    file = model_file(model)
    path = discriminators_path(file) if file else None
    if path is None or not path.is_file():
        return False
    tensors, _ = read_safetensors(path, "The discriminators")
    try:
        for name in NAMES:
            own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
            getattr(networks, name).load_state_dict(own)
    except RuntimeError:
        raise InputError(
            f"The discriminators {path} are of another size; set model.discriminator_channels, detail_gain "
            "and spectral_norm as they were trained, or move the file away to begin with new ones."
        ) from None
    return True
