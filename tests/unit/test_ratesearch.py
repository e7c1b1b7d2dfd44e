"""The search for a step: fits, wastes little, takes few tries, and says so where nothing fits."""

import numpy as np
import pytest

from celesta.entropy.table_file import load_tables
from celesta.entropy.window import NO_DETAIL, PER_OCTAVE, Settings, envelope_of, quantise
from celesta.latents.rate_control import TOLERANCE, first_step, next_step, quality_step, search, step_of_count


def sizes(scale, floor=0.4):
    """About what music costs: half the bits a doubled step, and a base that never goes away."""
    return lambda step: floor + (0 if step == NO_DETAIL else scale * 2 ** (-step / PER_OCTAVE / 1.3))


@pytest.mark.parametrize("kbps", [1.0, 6.0, 40.0])
@pytest.mark.parametrize("first", [0, 300, 700, NO_DETAIL])
def test_it_fits_and_wastes_little_in_few_tries(kbps, first):
    asked = []

    def at(step):
        asked.append(step)
        return sizes(40_000)(step)

    step = search(at, kbps, first, 30)
    assert at(step) <= kbps < at(step - 1) * (1 + TOLERANCE)
    assert len(asked) < 24


def test_where_nothing_fits_the_smallest_is_left():
    assert search(sizes(40_000, floor=2.0), 1.0, 500, 30) == NO_DETAIL
    assert next_step({NO_DETAIL: 2.0}, 1.0, 4) is None


def test_few_tries_end_with_what_fits():
    step = search(sizes(40_000), 10.0, NO_DETAIL, 2)
    assert sizes(40_000)(step) <= 10.0


@pytest.mark.parametrize(("rows", "power"), [(0, 0), (50, 5)])
def test_a_number_of_coefficients_and_a_first_guess(rows, power):
    tables = load_tables(rows)
    rng = np.random.default_rng(0)
    c = (rng.laplace(size=(tables.bands, 200)) * tables.spread[:, None]).astype(np.float32)
    base, envelope = np.zeros((0, 200), np.float32), envelope_of(c, tables)
    for count in (3, 40):
        step = step_of_count([(c, envelope)], count, power, tables)
        kept = np.count_nonzero(quantise(base, c, Settings(step, power), tables, envelope).detail) / 200
        assert abs(kept - count) < 0.25 * count
    steps = [first_step([(c, envelope)], kbps, 4, 1, power, tables) for kbps in (0.1, 3, 24)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == NO_DETAIL


def test_quality_goes_up_as_steps_get_finer():
    steps = [quality_step(q) for q in range(11)]
    assert steps == sorted(set(steps), reverse=True)
