"""One axis of a squared distance."""

import numpy as np

from pipeline.kernels.envelope import add_axis


def along_axis(squares, step_mm):
    nearest = np.empty_like(squares)
    add_axis(squares, step_mm, np.empty(squares.size, np.int64), nearest)
    return nearest


def test_each_position_gets_the_least_sum_of_what_was_there_and_the_way():
    random = np.random.default_rng(2)
    for _ in range(500):
        count = random.integers(1, 60)
        squares = random.random(count) * random.choice([1, 30, 1000])
        squares[random.random(count) < random.random()] = np.inf
        step_mm = random.uniform(0.3, 5)
        apart_mm = (np.arange(count)[:, np.newaxis] - np.arange(count)) * step_mm

        nearest = along_axis(squares, step_mm)

        np.testing.assert_allclose(nearest, (squares + apart_mm**2).min(axis=1), rtol=1e-14)


def test_a_line_without_anything_stays_infinitely_far():
    assert np.isinf(along_axis(np.full(5, np.inf), 1.0)).all()


def test_a_position_that_is_hidden_everywhere_does_not_matter():
    squares = np.array([0.0, 50.0, np.inf, np.inf, 0.0])

    np.testing.assert_array_equal(along_axis(squares, 2.0), [0.0, 4.0, 16.0, 4.0, 0.0])
