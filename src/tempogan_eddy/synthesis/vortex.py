"""The storm: its parameters, and the wind at the height of the cloud tops relative to its moving centre.

The tangential wind is the gradient wind of G. J. Holland, "An Analytic Model of the Wind and Pressure
Profiles in Hurricanes", Monthly Weather Review 108, 1980, weakened towards the outflow layer, where it turns
anticyclonic.
"""

from dataclasses import dataclass

import numpy as np

from tempogan_eddy.synthesis.grid import Field, Grid, generator

__all__ = ["Storm", "cloud_top_wind", "holland_wind"]

AIR_DENSITY = 1.15  # kg/m3
EARTH_ROTATION = 7.292e-5  # rad/s
AMBIENT_PRESSURE = 1008.0  # hPa


@dataclass(frozen=True)
class Storm:
    """Parameters of one storm; angles in radians, counter-clockwise from east."""

    deficit_hpa: float  # ambient minus central pressure at the storm's peak
    holland_b: float
    radius_of_maximum_wind_km: float
    latitude: float  # degrees at the start; negative in the southern hemisphere
    longitude: float
    translation: tuple[float, float]  # m/s to the east and to the north
    shear: tuple[float, float]  # m/s, the wind at cloud top relative to the centre, east and north
    outflow: float  # m/s, largest radial wind at cloud top
    outflow_radius_km: float
    arms: int
    pitch: float
    arm_angle: float
    moisture: float  # standard normal: how cloudy the surroundings are
    peak_hours: float  # after the first frame
    sea_kelvin: float

    @property
    def hemisphere(self) -> float:
        """1 in the north, where cyclones turn counter-clockwise, -1 in the south."""
        return 1.0 if self.latitude >= 0 else -1.0

    @property
    def severity(self) -> float:
        """The pressure deficit at the peak on a scale from 0 (a depression) to 1 (a violent typhoon)."""
        return float(np.clip((self.deficit_hpa - 12) / 78, 0, 1))

    @classmethod
    def draw(cls, seed: int) -> "Storm":
        """Draw the parameters of the storm with this seed."""
        random = generator(seed, "storm")
        severity = random.uniform(0.05, 1.0)
        heading = np.deg2rad(random.uniform(90, 190))
        speed = random.uniform(2, 7)
        shear_angle, shear_speed = random.uniform(0, 2 * np.pi), random.uniform(2, 9)
        latitude = random.uniform(11, 26)
        return cls(
            deficit_hpa=12 + 78 * severity,
            holland_b=random.uniform(1.0, 1.3) + 0.4 * severity,
            radius_of_maximum_wind_km=random.uniform(28, 46) + 25 * (1 - severity),
            latitude=latitude if random.random() < 0.85 else -latitude,
            longitude=random.uniform(125, 165),
            translation=(speed * np.cos(heading), abs(speed * np.sin(heading))),
            shear=(shear_speed * np.cos(shear_angle), shear_speed * np.sin(shear_angle)),
            outflow=random.uniform(4, 8) + 3 * severity,
            outflow_radius_km=random.uniform(180, 300),
            arms=int(random.integers(1, 4)),
            pitch=np.deg2rad(random.uniform(14, 26)),
            arm_angle=random.uniform(0, 2 * np.pi),
            moisture=random.standard_normal(),
            peak_hours=random.uniform(6, 48),
            sea_kelvin=random.uniform(293.5, 297.5),
        )

    def strength(self, hours: float) -> float:
        """Return the pressure deficit after some hours as a fraction of the deficit at the peak."""
        return 0.55 + 0.45 * float(np.exp(-(((hours - self.peak_hours) / 22) ** 2)))

    def travel(self, hours: float) -> tuple[float, float]:
        """Return latitude and longitude of the centre after some hours."""
        degrees = 3.6 * hours / 111.2
        latitude = self.latitude + self.hemisphere * self.translation[1] * degrees
        return latitude, self.longitude + self.translation[0] * degrees / np.cos(np.deg2rad(latitude))

    def gradient_wind(self, radius_km: Field, strength: float) -> Field:
        """Return the gradient wind speed in m/s at some radii."""
        return holland_wind(
            radius_km,
            deficit_hpa=self.deficit_hpa * strength,
            radius_of_maximum_wind_km=self.radius_of_maximum_wind_km,
            holland_b=self.holland_b,
            latitude=self.latitude,
        )


def holland_wind(
    radius_km: Field, *, deficit_hpa: float, radius_of_maximum_wind_km: float, holland_b: float, latitude: float
) -> Field:
    """Return the gradient wind speed in m/s at some radii (Holland 1980, equation 5), 0 at the centre."""
    radius = np.maximum(radius_km, 1e-3)
    ratio = (radius_of_maximum_wind_km / radius) ** holland_b
    cyclostrophic = holland_b / AIR_DENSITY * deficit_hpa * 100 * ratio * np.exp(-ratio)
    coriolis = radius * 1000 * EARTH_ROTATION * abs(np.sin(np.deg2rad(latitude)))
    return np.sqrt(cyclostrophic + coriolis**2) - coriolis


def cloud_top_wind(storm: Storm, grid: Grid, strength: float) -> tuple[Field, Field]:
    """Return the wind right and down, in m/s, relative to the moving centre, without the eddies."""
    east, south = grid.offsets_km
    radius = grid.radius_km
    gradient = storm.gradient_wind(radius, strength)
    # Aloft the cyclone is weaker and narrower; the outflow turns the other way.
    spin = 0.8 * gradient * np.exp(-radius / 450) - 0.9 * storm.outflow * _hump(radius, 620.0) ** 2
    spin = storm.hemisphere * spin
    outward = storm.outflow * (0.4 + 0.6 * strength) * _hump(radius, storm.outflow_radius_km)
    # The core resists the shear; its surroundings move past it, faster on the poleward side.
    exposed = 1 - np.exp(-((radius / 230) ** 2))
    jet = 1 - 0.5 * storm.hemisphere * south / 640
    right = exposed * storm.shear[0] * jet + (outward * east + spin * south) / np.maximum(radius, 1e-3)
    down = -exposed * storm.shear[1] + (outward * south - spin * east) / np.maximum(radius, 1e-3)
    return right, down


def _hump(radius_km: Field, peak_km: float) -> Field:
    """Return a profile that rises from 0 at the centre to 1 at `peak_km` and falls off beyond."""
    ratio = radius_km / peak_km
    return ratio * np.exp(1 - ratio)
