"""The cell obeys its published relations and limits, and the table has the conditioning that it states."""

import dataclasses

import numpy as np
import pytest

from optbench.problems.networks import _porous_electrode as electrode
from optbench.problems.networks.cell_capacity import cell_capacity, condition_number


def one_cell(**changed):
    """Make a cell whose numbers are easy by hand: porosity 1/4, so that porosity^3/2 is 1/8 and active is 0.67."""
    given = {
        "conductivity_s_per_m": 0.8,
        "porosity": 0.25,
        "electrolyte_diffusivity_m2_per_s": 4e-10,
        "particle_diffusivity_m2_per_s": 1e-14,
        "thickness_um": 100.0,
        "particle_radius_um": 5.0,
        "c_rate_per_hour": 1.0,
    }
    return electrode.Cells(**{name: np.atleast_1d(float(value)) for name, value in (given | changed).items()})


def test_units_by_hand():
    cell = one_cell()
    # 96485 C/mol x 30000 mol/m3 x 0.67 x 1e-4 m = 1.9394e5 C/m2 = 53.871 Ah/m2 = 5.3871 mAh/cm2
    assert cell.loading_mah_per_cm2 == pytest.approx(5.3871, rel=1e-4)
    # emptied in one hour: 53.871 A/m2
    assert cell.current_a_per_m2 == pytest.approx(53.871, rel=1e-4)
    assert cell.tortuosity == pytest.approx(2)
    assert cell.effective_conductivity_s_per_m == pytest.approx(0.1)
    # 1/8 x 4e-10 m2/s x 1000 mol/m3 x 96485 C/mol / (0.62 x 53.871 A/m2) = 1.4444e-4 m
    assert cell.penetration_depth_um == pytest.approx(144.44, rel=1e-4)
    assert cell.diffusion_time_s == pytest.approx(2500)
    # 2500 s of 3600 s: a fill of 1 - S/15 = 0.9537, which the series leaves as it is at this rate
    assert electrode.capacity_mah_per_cm2(cell) == pytest.approx(5.3871 * (1 - 2500 / 3600 / 15), rel=1e-4)


def test_voltage_losses_by_hand():
    cell = one_cell()
    # 53.871 A/m2 through 1e-4 m / (3 x 0.1 S/m) = 3.3333e-4 ohm m2 and 2e-5 m / (0.8 x 0.45^1.5 S/m) = 8.2817e-5 ohm m2
    ohmic = 53.871 * (3.3333e-4 + 8.2817e-5)
    # 3 x 0.67 / 5e-6 m = 4.02e5 /m over 1e-4 m is 40.2 m2 per m2; 2 x 25.693 mV x asinh(53.871 / (2 x 40.2 x 2))
    kinetic = 2 * 0.025693 * np.arcsinh(53.871 / 160.8)
    assert electrode.overpotential_v(cell) == pytest.approx(ohmic + kinetic, rel=1e-4)


def test_slow_discharge_delivers_the_stoichiometric_capacity_at_the_mean_rest_voltage():
    cell = one_cell(c_rate_per_hour=1e-5)
    assert electrode.capacity_mah_per_cm2(cell) == pytest.approx(cell.loading_mah_per_cm2, rel=1e-5)
    assert electrode.energy_mwh_per_cm2(cell) == pytest.approx(3.8 * cell.loading_mah_per_cm2, rel=1e-5)


@pytest.mark.parametrize("outcome", [electrode.capacity_mah_per_cm2, electrode.energy_mwh_per_cm2])
@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("c_rate_per_hour", -1),
        ("particle_radius_um", -1),
        ("particle_diffusivity_m2_per_s", 1),
        ("electrolyte_diffusivity_m2_per_s", 1),
    ],
)
def test_each_property_moves_what_is_delivered_the_way_it_should(outcome, name, sign):
    cells = electrode.draw(200, np.random.RandomState(0))
    more = dataclasses.replace(cells, **{name: 1.2 * getattr(cells, name)})
    change = sign * (outcome(more) - outcome(cells)) / outcome(cells)
    assert (change > -1e-9).all() and (change > 1e-6).any()


def test_conductivity_changes_the_energy_and_not_the_capacity():
    poor, good = one_cell(conductivity_s_per_m=0.4), one_cell(conductivity_s_per_m=0.8)
    assert electrode.capacity_mah_per_cm2(poor) == electrode.capacity_mah_per_cm2(good)
    assert electrode.energy_mwh_per_cm2(poor) < electrode.energy_mwh_per_cm2(good)


def test_beyond_the_penetration_depth_a_thicker_electrode_delivers_less():
    # tiny particles fill at once: what is delivered is the loading of the zone that the salt reaches
    thin, thick = (one_cell(thickness_um=um, particle_radius_um=0.01, c_rate_per_hour=3.0) for um in (60.0, 120.0))
    assert thin.penetration_depth_um > 60 and thick.penetration_depth_um < 120
    assert electrode.capacity_mah_per_cm2(thin) == pytest.approx(thin.loading_mah_per_cm2, rel=1e-4)
    share = thick.penetration_depth_um / 120
    assert electrode.capacity_mah_per_cm2(thick) == pytest.approx(share * thick.loading_mah_per_cm2, rel=1e-3)


def test_the_roots_solve_tan_x_is_x_and_sum_to_a_tenth():
    roots = electrode.roots_of_tan_x_is_x(200)
    np.testing.assert_allclose(roots[:3], [4.493409458, 7.725251837, 10.904121659], rtol=1e-9)
    np.testing.assert_allclose(np.sin(roots), roots * np.cos(roots), atol=1e-9)
    # the rest is near to the integral of 1 / (pi n)^2 from 201
    assert np.sum(1 / roots**2) + 1 / (np.pi**2 * 201) == pytest.approx(0.1, abs=1e-5)


def test_the_filling_of_a_sphere_has_both_limits():
    slow, fast = np.array([0.001, 0.1, 0.5]), np.array([300.0, 1000.0])
    np.testing.assert_allclose(electrode.utilisation(slow), 1 - slow / 15, rtol=1e-6)
    # a flat wall under a constant flux fills as 2 (S/3) sqrt(t / pi): full at u = 9 pi / (4 S)
    np.testing.assert_allclose(electrode.utilisation(fast), 9 * np.pi / 4 / fast, rtol=0.04)


@pytest.mark.parametrize("slowness", [2.0, 8.0])
def test_the_filling_of_a_sphere_is_that_of_diffusion_through_shells(slowness):
    shells, step = 100, 2e-5
    edges = np.linspace(0, 1, shells + 1)
    volumes, areas = np.diff(edges**3) / 3, edges[1:-1] ** 2
    filling, time = np.zeros(shells), 0.0
    while 1.5 * filling[-1] - 0.5 * filling[-2] < 1:
        flux = areas * np.diff(filling) * shells
        # the surface takes slowness / 3, so that the mean grows by slowness a diffusion time
        filling += step * np.diff(np.r_[0.0, flux, slowness / 3]) / volumes
        time += step
    assert electrode.utilisation(np.array([slowness]))[0] == pytest.approx(slowness * time, rel=0.01)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_the_columns_have_the_stated_condition_and_are_standardised(condition):
    x, y = cell_capacity(condition=condition).train
    # A fifth of the 256 rows, 51, is held out.
    assert x.shape == (205, 12) and y.shape == (205, 2)
    assert condition_number(x) == pytest.approx(condition, rel=1e-6)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), 1, rtol=1e-12)


def test_noise_is_added_to_standardised_outputs():
    clean, noisy = cell_capacity(noise=0.0, rows=600), cell_capacity(noise=0.1, rows=600)
    np.testing.assert_allclose(clean.train[1].std(axis=0), 1, rtol=1e-12)
    for split in ("train", "test"):
        # 1200 draws: their standard deviation is known to 2 %
        difference = getattr(noisy, split)[1] - getattr(clean, split)[1]
        assert difference.std() == pytest.approx(0.1, rel=0.08)


def test_the_linear_optimum_solves_the_normal_equations():
    problem = cell_capacity(head="linear", condition=100.0)
    x, y = problem.train
    design = np.c_[x, np.ones(len(x))]
    solution = np.linalg.solve(design.T @ design, design.T @ y)
    assert problem.optimum() == pytest.approx(np.mean((design @ solution - y) ** 2), rel=1e-10)
    assert cell_capacity(head="mlp").optimum() is None
