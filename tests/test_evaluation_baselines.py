import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from evaluation_cases import cloud
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation.baselines import BASELINES, area_mean, bicubic, nearest

AREA = SensorModel("area", 4)

DATA = Path(os.environ.get("TEMPOGAN_EDDY_DATA", Path(__file__).parents[2] / "shared" / "data"))
STORM = DATA / "digital-typhoon" / "WP" / "image" / "200717"


@pytest.mark.parametrize("shape", [(24, 24), (10, 17)])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_bicubic_is_that_of_opencv(shape, scale):
    cv2 = pytest.importorskip("cv2")
    lowres = cloud(shape)
    expected = cv2.resize(lowres, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    assert np.abs(bicubic(lowres, scale) - expected).max() < 2e-3


def test_bicubic_is_that_of_torch():
    torch = pytest.importorskip("torch")
    lowres = cloud((24, 30))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(lowres)[None, None], scale_factor=4, mode="bicubic", align_corners=False
    )
    assert np.abs(bicubic(lowres, 4) - expected[0, 0].numpy()).max() < 2e-3


@pytest.mark.parametrize("method", BASELINES.values())
def test_a_flat_frame_stays_flat(method):
    frame = method(np.full((12, 9), 271.5, np.float32), AREA)
    assert frame.shape == (48, 36)
    assert frame.dtype == np.float32
    assert np.abs(frame - 271.5).max() < 1e-4


@pytest.mark.parametrize("method", [BASELINES[name] for name in BASELINES if name != "bicubic"])
def test_the_area_mean_of_the_output_is_the_input(method):
    lowres = cloud((24, 24))
    lowres[3, 4] = np.nan
    assert area_mean(method(lowres, AREA), 4) == pytest.approx(lowres, abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("method", BASELINES.values())
def test_a_missing_pixel_stays_missing_and_leaves_no_trace(method):
    whole = cloud((24, 24))
    lowres = whole.copy()
    lowres[10, 10] = np.nan
    frame = method(lowres, AREA)
    assert np.array_equal(np.isnan(frame), nearest(np.isnan(lowres), 4))
    # Beyond the kernel's reach; that of the Wiener filter fades.
    assert np.abs(frame[:28] - method(whole, AREA)[:28]).max() < (0.1 if method is BASELINES["Wiener filter"] else 1e-3)
    flat = np.full((24, 24), 271.5, np.float32)
    flat[10, 10] = np.nan
    assert np.nanmax(np.abs(method(flat, AREA) - 271.5)) < 1e-4


@pytest.mark.parametrize("method", BASELINES.values())
def test_a_frame_without_any_pixel_stays_so(method):
    assert np.isnan(method(np.full((6, 6), np.nan, np.float32), AREA)).all()


def test_the_area_mean_counts_what_is_valid():
    frame = np.arange(32, dtype=np.float32).reshape(4, 8)
    frame[0, 0] = np.nan
    frame[:3, 4:] = np.nan
    mean = area_mean(frame, 4)
    assert mean[0, 0] == pytest.approx(np.nanmean(frame[:, :4]))
    assert np.isnan(mean[0, 1])  # less than half of the block was seen


def test_the_area_mean_drops_what_fills_no_block():
    assert area_mean(np.zeros((13, 10), np.float32), 4).shape == (3, 2)


def test_bicubic_and_back_projection_on_real_frames():
    if not STORM.is_dir():
        pytest.skip(f"no real frames at {STORM}; set TEMPOGAN_EDDY_DATA to the data folder")
    files = sorted(STORM.glob("*.h5"))[::12]
    errors = {name: [] for name in BASELINES}
    for file in files:
        with h5py.File(file) as opened:
            frame = opened["infrared"][:].astype(np.float32)
        for name, values in errors.items():
            values.append(np.sqrt(np.mean((BASELINES[name](area_mean(frame, 4), AREA) - frame) ** 2)))
    # 3.49 K is the known bicubic error of this storm, as the mean of the frames' RMSE.
    assert np.mean(errors["bicubic"]) == pytest.approx(3.49, abs=0.08)
    gain = 20 * np.log10(np.mean(errors["bicubic"]) / np.mean(errors["back-projected bicubic"]))
    assert gain == pytest.approx(0.28, abs=0.03)
