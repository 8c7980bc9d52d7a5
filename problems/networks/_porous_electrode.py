"""Discharge a lithium-ion cell with a porous positive electrode, by published relations in closed form.

The cell is a positive electrode of spheres in a pore-filling electrolyte, a separator, and a lithium foil that never
limits. Every relation below is published, and named with its source; their combination is not: the reaction
zone that the electrolyte can feed takes the whole current, and the particles in it fill until their surface is full.

Sources, by the tags used below:
[B35] D. A. G. Bruggeman, Berechnung verschiedener physikalischer Konstanten von heterogenen Substanzen, 1935
[C75] J. Crank, The Mathematics of Diffusion, 2nd edition, 1975: a sphere with a constant flux at its surface
[DN97] M. Doyle, J. Newman, Analysis of capacity-rate data for lithium batteries using simplified models of the
discharge process, 1997
[NT04] J. Newman, K. E. Thomas-Alyea, Electrochemical Systems, 3rd edition, 2004: porous electrodes
[G16] K. G. Gallagher and others, Optimizing areal capacities through understanding the limitations of lithium-ion
electrodes, 2016
[M19] S. G. Marquis, V. Sulzer, R. Timms, C. P. Please, S. J. Chapman, An asymptotic derivation of a single particle
model with electrolyte, 2019
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " cell"]

FARADAY_C_PER_MOL = 96485.33212
GAS_CONSTANT_J_PER_MOL_K = 8.314462618
SECONDS_PER_HOUR = 3600.0
MAH_PER_CM2_PER_AH_PER_M2 = 0.1

# The cell's fixed properties: typical of layered oxides and carbonate electrolytes, chosen here.
TEMPERATURE_K = 298.15
INERT_FRACTION = 0.08
USABLE_LITHIUM_MOL_PER_M3 = 30_000.0
SALT_MOL_PER_M3 = 1000.0
TRANSFERENCE_NUMBER = 0.38
EXCHANGE_CURRENT_A_PER_M2 = 2.0
SEPARATOR_THICKNESS_UM = 20.0
SEPARATOR_POROSITY = 0.45
FULL_VOLTAGE_V, EMPTY_VOLTAGE_V = 4.2, 3.4

#: The positive roots of tan(x) = x, by Newton's method from near (n + 1/2) pi; [C75] sums over them.
NUM_ROOTS = 200


@dataclass(frozen=True)
class Cells:
    """Properties and C-rates of lithium-ion cells, one entry for each cell."""

    conductivity_s_per_m: Values
    porosity: Values
    electrolyte_diffusivity_m2_per_s: Values
    particle_diffusivity_m2_per_s: Values
    thickness_um: Values
    particle_radius_um: Values
    c_rate_per_hour: Values

    @property
    def active_fraction(self) -> Values:
        """Volume share of the active particles."""
        return 1 - INERT_FRACTION - self.porosity

    @property
    def loading_mah_per_cm2(self) -> Values:
        """Stoichiometric capacity, F c_s (1 - inert - porosity) L: Faraday's law [NT04]."""
        charge_c_per_m2 = (
            FARADAY_C_PER_MOL * USABLE_LITHIUM_MOL_PER_M3 * self.active_fraction * self.thickness_um * 1e-6
        )
        return charge_c_per_m2 / SECONDS_PER_HOUR * MAH_PER_CM2_PER_AH_PER_M2

    @property
    def current_a_per_m2(self) -> Values:
        """Current per area, the C-rate times the loading."""
        return self.c_rate_per_hour * self.loading_mah_per_cm2 / MAH_PER_CM2_PER_AH_PER_M2

    @property
    def tortuosity(self) -> Values:
        """porosity^-1/2, which makes porosity / tortuosity the 3/2 power of porosity [B35]."""
        return self.porosity**-0.5

    @property
    def effective_conductivity_s_per_m(self) -> Values:
        """kappa porosity^3/2 [B35, NT04]."""
        return self.conductivity_s_per_m * self.porosity / self.tortuosity

    @property
    def penetration_depth_um(self) -> Values:
        """L_d = (porosity / tortuosity) D c F / ((1 - t+) I), beyond which the salt has run out [G16]."""
        diffusivity_m2_per_s = self.electrolyte_diffusivity_m2_per_s * self.porosity / self.tortuosity
        reach = diffusivity_m2_per_s * SALT_MOL_PER_M3 * FARADAY_C_PER_MOL / (1 - TRANSFERENCE_NUMBER)
        return reach / self.current_a_per_m2 * 1e6

    @property
    def reaction_zone_um(self) -> Values:
        """min(L, L_d): deeper parts don't react [G16]."""
        return np.minimum(self.thickness_um, self.penetration_depth_um)

    @property
    def diffusion_time_s(self) -> Values:
        """R^2 / D of the particles [DN97]."""
        return (self.particle_radius_um * 1e-6) ** 2 / self.particle_diffusivity_m2_per_s


def capacity_mah_per_cm2(cells: Cells) -> Values:
    """Return the delivered capacity: the loading, times the zone's share, times the filling of its particles."""
    zone_share = cells.reaction_zone_um / cells.thickness_um
    seconds_to_fill = SECONDS_PER_HOUR / cells.c_rate_per_hour * zone_share
    return cells.loading_mah_per_cm2 * zone_share * utilisation(cells.diffusion_time_s / seconds_to_fill)


def utilisation(slowness: Values) -> Values:
    """Return the mean filling of a sphere whose surface is full, by bisection.

    slowness S = (R^2 / D) / time to fill at this flux.
    The surface's filling at mean filling u is u + S/15 - (2 S/3) sum exp(-x_n^2 u / S) / x_n^2, tan x_n = x_n [C75];
    for small S that is u + S/15, the parabolic profile.
    """
    squares = roots_of_tan_x_is_x(NUM_ROOTS) ** 2
    low, high = np.zeros_like(slowness), np.ones_like(slowness)
    for _ in range(50):
        middle = (low + high) / 2
        decay = np.exp(-squares[:, None] * middle / slowness) / squares[:, None]
        # the sum of 1/x_n^2 is 1/10: the terms of further roots decay at once
        surface = middle + slowness / 15 - 2 * slowness / 3 * decay.sum(axis=0)
        low, high = np.where(surface < 1, middle, low), np.where(surface < 1, high, middle)
    return (low + high) / 2


def roots_of_tan_x_is_x(count: int) -> Float[np.ndarray, " root"]:
    """Return the first positive roots as zeros of sin x - x cos x."""
    centre = (np.arange(1, count + 1) + 0.5) * np.pi
    x = centre - 1 / centre
    for _ in range(5):
        x = x - (np.sin(x) - x * np.cos(x)) / (x * np.sin(x))
    return x


def overpotential_v(cells: Cells) -> Values:
    """Return the voltage that the current costs: ohmic in separator and electrode, and kinetic."""
    zone_m, current = cells.reaction_zone_um * 1e-6, cells.current_a_per_m2
    # a uniform reaction sees a third of the electrode's resistance [NT04, M19]
    electrode = zone_m / (3 * cells.effective_conductivity_s_per_m)
    separator = SEPARATOR_THICKNESS_UM * 1e-6 / (cells.conductivity_s_per_m * SEPARATOR_POROSITY**1.5)
    # spheres have a surface of 3 active / R per volume; Butler-Volmer with coefficients of 1/2 inverts to asinh [NT04]
    area_per_area = 3 * cells.active_fraction / (cells.particle_radius_um * 1e-6) * zone_m
    thermal_v = GAS_CONSTANT_J_PER_MOL_K * TEMPERATURE_K / FARADAY_C_PER_MOL
    kinetic = 2 * thermal_v * np.arcsinh(current / (2 * area_per_area * EXCHANGE_CURRENT_A_PER_M2))
    return current * (electrode + separator) + kinetic


def energy_mwh_per_cm2(cells: Cells) -> Values:
    """Return the voltage integrated over the charge; that at rest is assumed to fall linearly as the cell empties."""
    capacity = capacity_mah_per_cm2(cells)
    depth_of_discharge = capacity / cells.loading_mah_per_cm2
    rest_v = FULL_VOLTAGE_V - (FULL_VOLTAGE_V - EMPTY_VOLTAGE_V) * depth_of_discharge / 2
    return capacity * (rest_v - overpotential_v(cells))


RANGES = {
    "conductivity_s_per_m": (0.4, 1.2),
    "porosity": (0.2, 0.5),
    "electrolyte_diffusivity_m2_per_s": (1.5e-10, 5e-10),
    "particle_diffusivity_m2_per_s": (1e-15, 1e-13),
    "thickness_um": (40.0, 160.0),
    "particle_radius_um": (2.0, 8.0),
    "c_rate_per_hour": (0.2, 5.0),
}

#: Columns that follow from the others, and would be measured beside them.
DERIVED = (
    "loading_mah_per_cm2",
    "tortuosity",
    "effective_conductivity_s_per_m",
    "penetration_depth_um",
    "diffusion_time_s",
)


def draw(count: int, random: np.random.RandomState) -> Cells:
    """Return cells with every property drawn log-uniformly from its range."""
    return Cells(**{name: np.exp(random.uniform(*np.log(bounds), size=count)) for name, bounds in RANGES.items()})
