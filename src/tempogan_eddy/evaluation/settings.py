"""The settings of scores."""

from dataclasses import dataclass

from tempogan_eddy.kelvin import INFRARED_KELVIN, SCALED_KELVIN

__all__ = ["DEFAULTS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Ranges, thresholds and the bootstrap; printed with every report.

    Attributes
    ----------
    kelvin_range : (low, high)
        Its width is the data range of PSNR and SSIM.
    cold_kelvin : float
        Truth colder than this is cold cloud.
    fss_kelvin : tuple of float
        Thresholds of the fractions skill score.
    fss_neighbourhood : int
        Side of its square neighbourhood, pixels, odd.
    flow_range : (low, high)
        Kelvin shown to the optical flow as 0 and 255.
    minimum_valid : float
        Share of valid pixels a frame or pair needs for spectra and flow.
    block : str
        Length of the blocks of time that the bootstrap resamples.
    resamples : int
        Number of bootstrap resamples.
    confidence : float
        Probability of the interval between `low` and `high`.
    seed : int
        Of the bootstrap.
    """

    kelvin_range: tuple[float, float] = SCALED_KELVIN
    cold_kelvin: float = 220.0
    fss_kelvin: tuple[float, ...] = (225.0, 241.0)
    fss_neighbourhood: int = 5
    flow_range: tuple[float, float] = INFRARED_KELVIN
    minimum_valid: float = 0.5
    block: str = "6h"
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    @property
    def data_range(self) -> float:
        """Width of `kelvin_range`, K."""
        return self.kelvin_range[1] - self.kelvin_range[0]


DEFAULTS = Settings()
