import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tempogan_eddy.dataset.flow import estimate_flow, kelvin_to_bytes
from tempogan_eddy.errors import InputError
from tempogan_eddy.synthesis import simulate_storm


def cloud(shift=(0, 0), size=48):
    """A smooth random scene in kelvin, moved right and down by whole pixels."""
    noise = np.random.default_rng(1).standard_normal((size + 32, size + 32))
    scene = 260 + 120 * gaussian_filter(noise, 2.5)
    right, down = shift
    return scene[16 - down : 16 - down + size, 16 - right : 16 - right + size]


def test_identical_frames_do_not_move():
    assert np.array_equal(estimate_flow(cloud(), cloud()), np.zeros((2, 48, 48), np.float32))


@pytest.mark.parametrize("shift", [(3, 0), (0, 3), (-2, 1)])
def test_flow_points_from_the_frame_to_the_neighbour_x_first(shift):
    flow = estimate_flow(cloud(), cloud(shift))
    assert flow.shape == (2, 48, 48)
    assert flow.dtype == np.float32
    assert flow[:, 8:-8, 8:-8].mean((1, 2)) == pytest.approx(shift, abs=0.1)


def test_flow_from_coarse_frames_finds_the_true_motion_of_a_storm():
    storm = simulate_storm(seed=3, frames=2, size=192)
    coarse = storm["brightness_temperature"].coarsen(y=4, x=4).mean().values
    truth = storm["flow"].coarsen(y=4, x=4).mean().values[1] / 4
    error = np.hypot(*(estimate_flow(coarse[1], coarse[0]) - truth))[6:-6, 6:-6].mean()
    assert error < 0.3 * np.hypot(*truth)[6:-6, 6:-6].mean()


def test_missing_pixels_have_no_flow_and_leave_their_surroundings_alone():
    frame, neighbour = cloud(), cloud((3, 0))
    whole = estimate_flow(frame, neighbour)
    frame, neighbour = frame.copy(), neighbour.copy()
    frame[:8, :8] = np.nan
    neighbour[-8:, -8:] = np.nan
    flow = estimate_flow(frame, neighbour)
    assert (flow[:, :8, :8] == 0).all()
    assert (flow[:, -8:, -8:] == 0).all()
    assert np.abs(flow - whole)[:, 16:32, 16:32].max() < 0.3


def test_frames_without_any_value_have_no_flow():
    assert not estimate_flow(np.full((20, 20), np.nan), cloud(size=20)).any()


def test_the_grey_of_a_kelvin_depends_on_nothing_else_in_the_frame():
    dim, vivid = np.array([250.0, 251.0]), np.array([250.0, 190.0])
    assert kelvin_to_bytes(dim, (180, 310))[0] == kelvin_to_bytes(vivid, (180, 310))[0]
    assert kelvin_to_bytes(np.array([100.0, 400.0]), (180, 310)).tolist() == [0, 255]


def test_the_result_does_not_depend_on_threads_and_leaves_them_as_they_were():
    before, results = cv2.getNumThreads(), []
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            used = cv2.getNumThreads()
            results.append(estimate_flow(cloud(), cloud((2, -1))))
            assert cv2.getNumThreads() == used
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 9), (17, 33)])
def test_any_size_keeps_its_shape(shape):
    frame = cloud()[: shape[0], : shape[1]]
    flow = estimate_flow(frame, frame + 1)
    assert flow.shape == (2, *shape)
    assert np.isfinite(flow).all()


def test_unusable_frames_are_refused():
    with pytest.raises(InputError, match="one shape"):
        estimate_flow(cloud(), cloud(size=40))
