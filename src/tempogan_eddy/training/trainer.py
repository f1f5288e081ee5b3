"""The seed's `TempoGANTrainer`: everything that `Trainer` needs, built from a configuration."""

import logging
from collections.abc import Callable
from pathlib import Path

from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.device import choose_device
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.losses import Losses
from tempogan_eddy.specification import differences
from tempogan_eddy.training.batches import refuse_uneven_shares
from tempogan_eddy.training.discriminators import load_discriminators
from tempogan_eddy.training.journal import refuse_unwritable_log
from tempogan_eddy.training.loop import Trainer, TrainingData, TrainingResult
from tempogan_eddy.training.networks import Networks, bare, build_networks
from tempogan_eddy.weights import Model, Specification, load_model

__all__ = ["TempoGANTrainer", "Trainer", "TrainingResult", "earlier_model"]

log = logging.getLogger(__name__)


class TempoGANTrainer(Trainer):
    """Trains the networks of a configuration on the data that it names.

    Parameters
    ----------
    config
        Path of a configuration, or a `Config`.
    on_frame
        Called with (storm, frame, frames) while raw data are packed.
    networks
        Builds other networks than those of the configuration.
    losses
        Other losses than those of the configuration.

    Raises
    ------
    InputError
        The configuration or the data are not usable.
    """

    ensembles = False

    def __init__(
        self,
        config: str | Path | Config = "configs/config.json",
        on_frame: Callable[[str, int, int], None] | None = None,
        *,
        networks: Callable[[Config], Networks] = build_networks,
        losses: Losses | None = None,
    ) -> None:
        config = config if isinstance(config, Config) else load_config(config)
        if bool(config.model.textures) != self.ensembles:
            raise InputError(
                "model.textures describes an ensemble; train it with the command train or with EnsembleTrainer of "
                "tempogan_eddy.training.ensemble."
            )
        # Data are read for minutes or hours: refuse before what they cannot change.
        refuse_uneven_shares(config.training)
        choose_device(config.training.device)
        refuse_unwritable_log(Path(config.training.log_dir))
        teacher = _teacher(config)
        dataset = TyphoonDataset(config.highres_root, "train", config, on_frame)
        if not dataset.sensor_known:
            if Specification.from_config(config).network.lr_consistency:
                raise InputError(
                    "The store holds pairs of an unknown sensor, so the output cannot keep the lowres values; set "
                    "model.lr_consistency=false."
                )
            log.warning(
                "The sensor of the lowres frames is unknown, so the output does not keep their values "
                "(model.lr_consistency is off); describe it in section sensor and set data.pairs.sensor_known=true"
            )
        built = networks(config)
        if teacher:
            built.teacher = teacher.generator
        super().__init__(config, TrainingData(dataset, dataset.other("val")), built, losses)
        if teacher:
            self._inherit(teacher)

    def _start(self) -> None:
        """Begin with the generator of ``training.start_from``."""
        path = self.config.training.start_from
        if path:
            self._adopt(path)
            if self.steps.adversarial_on and load_discriminators(path, self.networks):
                self.warm_up = 0
        super()._start()

    def _adopt(self, path: str) -> None:
        """Load the weights of an earlier model."""
        earlier = earlier_model(path, self.config)
        self._inherit(earlier)
        self.inherited["history"], weights = earlier.history, earlier.generator.state_dict()
        for network in (bare(self.networks.generator), self.average.module):
            getattr(network, "adopt", network.load_state_dict)(weights)

    def _inherit(self, model: Model) -> None:
        """Record the training data of a model that this one starts or learns from as its own."""
        for key in ("training_data", "trained_on"):
            texts = [*self.inherited.get(key, []), *model.metadata.get(key, [])]
            self.inherited[key] = list(dict.fromkeys(texts))


def _teacher(config: Config) -> Model | None:
    """Load the teacher, if any, which must see the same frames as its pupil, or adapt to their sensor."""
    path = config.training.teacher
    if not path:
        return None
    model = load_model(path)
    same = {"data.kelvin_range", "model.upsample_factor", "model.conditioned"}
    _require_same("teacher", path, model, config, same if model.specification.sensor.random else same | {"sensor"})
    return model


def earlier_model(path: str, config: Config) -> Model:
    """Load the model that a run starts from, whose generator must be of the configured size."""
    model = load_model(path)
    sizes = {"model.n_residual_blocks", "model.channels", "model.upsample_factor", "data.kelvin_range"}
    if not config.model.textures:
        sizes |= {"model.conditioned"}
    elif not model.adapts:
        raise InputError(
            f"training.start_from: {path} does not adapt to the sensor; an ensemble needs one that does: faithful."
        )
    if model.specification.network.tails > config.model.tails:  # one tail grows to two, not the other way round
        sizes |= {"model.tails"}
    _require_same("start_from", path, model, config, sizes)
    trained = model.specification.sensor
    if not trained.random and trained != Specification.from_config(config).sensor:
        log.warning("training.start_from: %s was trained for another sensor model", path)
    return model


def _require_same(setting: str, path: str, model: Model, config: Config, keys: set[str]) -> None:
    for key, (theirs, ours) in differences(model.specification, Specification.from_config(config)).items():
        if key in keys:
            raise InputError(
                f"training.{setting}: {path} has {key} = {theirs}, but the configuration says {ours}; make them equal."
            )
