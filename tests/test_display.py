"""Colour tables and animations."""

import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tempogan_eddy.display.animation import Animation
from tempogan_eddy.display.film import busiest_window, film_of, resample
from tempogan_eddy.display.lettering import undrawable
from tempogan_eddy.display.movie import save_animation
from tempogan_eddy.display.palettes import PALETTES, SPREAD, Palette
from tempogan_eddy.errors import InputError

TABLES = pytest.mark.parametrize("table", PALETTES.values(), ids=PALETTES.keys())
KELVINS = np.linspace(150, 340, 19001)


def lightness(rgb):
    """CIE L* of sRGB."""
    linear = (np.asarray(rgb) / 255) ** 2.2
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * np.cbrt(np.maximum(luminance, 0.009)) - 16


@TABLES
def test_stops_go_from_cold_to_warm_and_have_their_own_colours(table):
    kelvins = [kelvin for kelvin, _ in table.stops]
    assert kelvins == sorted(kelvins) and max(kelvins.count(kelvin) for kelvin in kelvins) <= 2
    for kelvin, colour in dict(table.stops).items():  # of a step, its warm side
        assert table.rgb(np.array(kelvin + 1e-4)).tolist() == pytest.approx(colour, abs=1)
    for kelvin, colour in reversed(table.stops):  # of a step, its cold side just below
        below = table.rgb(np.array(kelvin - 1e-6)).tolist()
        assert below == pytest.approx(colour, abs=1) or kelvins.count(kelvin) == 2


@TABLES
def test_colours_keep_shape_and_go_on_beyond_the_ends(table):
    frame = np.full((3, 4, 5), 250.0, np.float32)
    assert table.rgb(frame).shape == (3, 4, 5, 3) and table.rgb(frame).dtype == np.uint8
    assert tuple(table.rgb(np.array(0.0))) == table.stops[0][1]
    assert tuple(table.rgb(np.array(1e4))) == table.stops[-1][1]


@TABLES
def test_missing_looks_like_no_kelvin(table):
    assert tuple(table.rgb(np.array([np.nan]))[0]) == table.missing
    distance = np.linalg.norm(table.rgb(KELVINS).astype(float) - table.missing, axis=-1)
    assert distance.min() > 35


@TABLES
@given(kelvin=st.floats(171, 319), step=st.floats(1e-4, 2e-3))
def test_colours_are_continuous_but_at_steps(table, kelvin, step):
    kelvins = [kelvin for kelvin, _ in table.stops]
    at_step = any(kelvin <= stop <= kelvin + step for stop in kelvins if kelvins.count(stop) == 2)
    change = np.abs(np.diff(table.rgb(np.array([kelvin, kelvin + step])).astype(int), axis=0)).max()
    assert at_step or change <= 1


def test_grey_gets_darker_with_every_kelvin():
    levels = PALETTES["grey"].rgb(np.arange(170, 321))
    assert (np.diff(levels[:, 0].astype(int)) < 0).all() and np.ptp(levels, axis=-1).max() == 0


@pytest.mark.parametrize(
    ("celsius", "level"),
    [(-85, 0x55), (-78, 0x87), (-72, 255), (-66, 0), (-58, 0xA0), (-47, 0x6E), (-35, 0x3C), (-29.9, 0xC9), (35, 0)],
)
def test_bd_has_the_shades_that_analysts_count_by(celsius, level):
    assert tuple(PALETTES["bd"].rgb(np.array(celsius + 273.15))) == (level,) * 3


def test_bd_is_flat_where_the_curve_is_flat_and_rises_on_both_warm_ramps():
    bd = PALETTES["bd"]
    flat = bd.rgb(np.linspace(-62.9, -53.1, 50) + 273.15)
    assert (flat == flat[0]).all()
    for warm, cold in ((27.9, 9.1), (8.9, -29.9)):
        assert (np.diff(bd.rgb(np.linspace(warm, cold, 50) + 273.15)[:, 0].astype(int)) >= 0).all()


def test_infrared_is_orderly():
    """Lightness goes one way in every part, and no kelvin is invisible or glaring beside its neighbour."""
    table = PALETTES["infrared"]
    for cold, warm, sign in ((171, 189, -1), (192, 213, 1), (215, 239, -1), (241, 300, -1)):
        steps = sign * np.diff(lightness(table.rgb(np.arange(cold, warm + 1))))
        assert steps.min() > 0.2, (cold, warm)
        assert steps.max() < 9, (cold, warm)
    assert np.ptp(table.rgb(np.arange(240, 321)), axis=-1).max() == 0  # grey above 240 K


def test_a_table_of_two_colours_mixes_linearly():
    table = Palette("t", "T", ((200.0, (0, 0, 0)), (300.0, (200, 100, 50))), (1, 2, 3))
    assert table.rgb(np.array([225.0, 250.0])).tolist() == [[50, 25, 12], [100, 50, 25]]


# --- animations


def panels(make_sequence, **options):
    fine = make_sequence(frames=5, shape=(48, 64), **options)
    coarse = fine.coarsen(y=4, x=4).mean().isel(time=slice(1, None))
    return film_of([coarse, fine], ["input", "truth"])


def test_panels_share_times_and_cover_the_same_area(make_sequence):
    matched = panels(make_sequence)
    assert len(matched.times) == 4 and matched.size == (48, 64)
    whole = (0, 0, 48, 64)
    coarse, fine = (panel.frame(0) for panel in matched.panels)
    enlarged = resample(coarse, matched.size, whole, (96, 128))
    assert (enlarged == np.kron(coarse, np.ones((8, 8)))).all()  # repeated, never blurred
    assert (resample(fine, matched.size, whole, (48, 64)) == fine).all()
    assert resample(fine, matched.size, whole, (12, 16)) == pytest.approx(coarse, abs=1e-3)
    window = (8, 12, 16, 20)
    assert (resample(fine, matched.size, window, (16, 20)) == fine[8:24, 12:32]).all()
    assert (resample(coarse, matched.size, window, (16, 20)) == np.kron(coarse, np.ones((4, 4)))[8:24, 12:32]).all()


def test_a_picture_longer_than_its_format_allows_is_refused_with_the_remedy(make_sequence):
    film = film_of([make_sequence(3, (64, 1))], ["a"])
    with pytest.raises(InputError, match=r"1200x\d{5} pixels, but a side has 16383 at most; give a smaller --width"):
        Animation(film)
    assert max(Animation(film, width=200).size) <= 16383


def test_reducing_passes_over_what_is_missing():
    frame = np.array([[200.0, np.nan], [np.nan, np.nan]])
    assert resample(frame, (2, 2), (0, 0, 2, 2), (1, 1)) == pytest.approx(200)
    assert np.isnan(resample(frame, (2, 2), (0, 1, 2, 1), (1, 1))).all()


def test_every_takes_the_same_times_of_sequences_that_start_apart(make_sequence):
    late = make_sequence(frames=5, start="2001-07-01T01")
    matched = film_of([make_sequence(frames=6), late], ["a", "b"], every=2)
    assert (matched.times == late["time"].values[[0, 2, 4]]).all()
    assert (matched.panels[1].frame(1) == late.values[2]).all()


def test_panels_share_times_that_differ_by_seconds_and_the_first_ones_count(make_sequence):
    sequence = make_sequence(frames=5)
    late = sequence.assign_coords(time=sequence["time"].values + np.timedelta64(21, "s"))[1:]
    matched = film_of([late, sequence], ["a", "b"])
    assert (matched.times == late["time"].values).all()
    assert (matched.panels[0].frame(2) == matched.panels[1].frame(2)).all()
    assert len(matched.notes) == 4


def test_panels_show_the_same_place_whichever_way_their_rows_run(make_sequence):
    fine = make_sequence(frames=2, shape=(50, 65))
    coarse = fine[:, :48, :64].coarsen(y=4, x=4).mean()[:, ::-1]
    matched = film_of([coarse, fine], ["input", "truth"])
    shown = [resample(panel.frame(1), matched.size, (0, 0, 48, 64), (12, 16)) for panel in matched.panels]
    assert shown[0] == pytest.approx(shown[1], abs=1e-3)
    with pytest.raises(InputError, match=r"b lies .* beside a"):
        film_of([fine, fine.assign_coords(lon=fine["lon"] + 1)], ["a", "b"])


def test_a_member_is_shown_as_its_plain_sequence(make_sequence):
    plain = make_sequence(frames=3)
    together = xr.concat([plain, plain + 5], "member").assign_coords(member=["a", "b"])
    for member, shift in ((None, 0), ("a", 0), ("b", 5)):
        film = film_of([plain, together], ["truth", "ensemble"], members=[member] if member else ())
        assert (film.panels[1].frame(2) == (plain + shift).values[2]).all()
        assert (film.panels[0].frame(2) == plain.values[2]).all()
    with pytest.raises(InputError, match="There is no member 'c'; the members are a, b"):
        film_of([together], ["ensemble"], members=["c"])
    with pytest.raises(InputError, match="No input has members"):
        film_of([plain], ["truth"], members=["a"])


def test_members_their_mean_and_their_spread_have_a_panel_each(make_sequence, tmp_path):
    plain = make_sequence(frames=3)
    together = xr.concat([plain, plain + 6], "member")
    film = film_of([plain, together], ["truth", "ensemble"], members=["1", "mean", "spread"])
    assert [panel.label for panel in film.panels] == ["truth", "member 1", "mean", "spread, 0 to 12 K"]
    for panel, wanted in zip(film.panels[1:], (plain + 6, plain + 3, 0 * plain + 18**0.5), strict=True):
        np.testing.assert_allclose(panel.frame(2), wanted.values[2], rtol=1e-5)
    animation = Animation(film, width=900)
    left, top = animation._corner(3)
    shown = np.asarray(animation.picture(1))[top + 5, left + 5]
    assert tuple(shown) == tuple(SPREAD.rgb(np.array(18**0.5)))
    save_animation(animation, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert np.abs(np.asarray(gif.convert("RGB"))[top + 5, left + 5].astype(int) - shown).max() < 8


def test_the_busiest_window_holds_the_cold_and_changing_part(make_sequence):
    sequence = make_sequence(frames=8, shape=(60, 90)).compute()
    sequence[:] = 290.0
    sequence[:, 38:50, 60:80] = 210.0
    sequence[::2, 40:44, 62:66] = 250.0
    top, left, height, width = busiest_window(film_of([sequence], ["truth"]), 30)
    assert (height, width) == (30, 30)
    assert top <= 38 and left <= 60 and top + 30 >= 50 and left + 30 >= 80


def test_sequences_that_do_not_belong_together_are_refused(make_sequence):
    with pytest.raises(InputError, match="no time in common"):
        film_of([make_sequence(), make_sequence(start="1999-01-01T00")], ["a", "b"])
    with pytest.raises(InputError, match="b has 12x30 pixels"):
        film_of([make_sequence(shape=(40, 40)), make_sequence(shape=(12, 30))], ["a", "b"])


def test_a_picture_shows_every_kelvin_in_the_colour_of_the_table(make_sequence):
    film = replace(panels(make_sequence, missing=40), places=None)  # no map over it
    animation = Animation(film, width=400, palette=PALETTES["bd"])
    picture = np.asarray(animation.picture(2))
    assert picture.shape[:2] == animation.size[::-1] and max(animation.size) <= 400
    kelvin = animation.film.panels[1].frame(2)
    left, top = animation._corner(1)
    shown = picture[top : top + animation.shown[0], left : left + animation.shown[1]]
    factor = animation.shown[0] // 48
    assert (shown == np.kron(PALETTES["bd"].rgb(kelvin), np.ones((factor, factor, 1), np.uint8))).all()
    assert (shown == PALETTES["bd"].missing).all(axis=-1).any()
    # Nothing but the time changes outside of the panels.
    other = np.asarray(animation.picture(0))
    assert (picture[top + animation.shown[0] :] == other[top + animation.shown[0] :]).all()
    assert (picture[:top] != other[:top]).any()


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".png", ".mp4"])
def test_every_format_plays_every_frame_at_its_speed(make_sequence, tmp_path, suffix):
    film = panels(make_sequence)
    if suffix == ".gif":  # lines of a map blend with any colour, more than its palette holds
        film = replace(film, places=None)
    animation, drawn = Animation(film, width=300), []
    path = save_animation(animation, tmp_path / f"a{suffix}", fps=5, quality=100, on_frame=drawn.append)
    assert drawn == [1, 2, 3, 4] and [entry.name for entry in tmp_path.iterdir()] == [path.name]
    wanted = np.asarray(animation.picture(3)).astype(int)
    if suffix == ".mp4":
        film = cv2.VideoCapture(str(path))
        assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 4 and film.get(cv2.CAP_PROP_FPS) == pytest.approx(5)
        pictures = [film.read()[1][..., ::-1] for _ in range(4)]
        assert np.abs(pictures[3] - wanted).mean() < 12
        return
    film = Image.open(path)
    assert film.n_frames == 4 and film.size == animation.size
    film.seek(3)
    film.load()
    assert film.info["duration"] == 200 and film.info["loop"] == 0
    error = np.abs(np.asarray(film.convert("RGB")) - wanted)
    assert error.max() == 0 if suffix != ".gif" else error.max() <= 24 and error.mean() < 2


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".png"])
def test_an_animation_of_one_frame_is_that_frame(make_sequence, tmp_path, suffix):
    frame = make_sequence(frames=1, shape=(48, 64))
    animation, drawn = Animation(film_of([frame], ["truth"]), width=300), []
    path = save_animation(animation, tmp_path / f"a{suffix}", quality=100, on_frame=drawn.append)
    error = np.abs(np.asarray(Image.open(path).convert("RGB")).astype(int) - np.asarray(animation.picture(0)))
    assert drawn == [1] and error.mean() < 2


def test_memory_does_not_grow_with_the_frames(make_sequence, tmp_path):
    """Of all pictures that were drawn, only one or two are alive at any time."""
    animation, alive, most = Animation(panels(make_sequence), width=300), [], []
    draw = animation.picture

    def picture(number):
        drawn = draw(number % 4)
        alive.append(weakref.ref(drawn))
        most.append(sum(picture() is not None for picture in alive))
        return drawn

    animation.picture = picture
    animation.film = replace(animation.film, times=np.resize(animation.film.times, 30))
    save_animation(animation, tmp_path / "a.webp")
    assert len(most) >= 30 and max(most) <= 2


@pytest.mark.parametrize("crop", [(0, 0, 49, 10), (-1, 0, 10, 10), (0, 60, 10, 10), (0, 0, 0, 10)])
def test_a_crop_outside_the_frame_is_refused(make_sequence, crop):
    with pytest.raises(InputError, match="does not lie in the frame"):
        Animation(panels(make_sequence), crop=crop)


def test_a_label_that_the_font_cannot_draw_is_refused(make_sequence):
    matched = panels(make_sequence)
    assert undrawable("Digital Typhoon, 5 km (NII): doi:10.20783/DIAS.664") == ""
    assert undrawable("真值 truth") == "值真"
    named = replace(matched, panels=[replace(panel, label="重建") for panel in matched.panels])
    with pytest.raises(InputError, match=r"重建.*Latin"):
        Animation(named)
    with pytest.raises(InputError, match="Latin"):
        Animation(matched, credit="北本")


def test_too_narrow_a_picture_is_refused(make_sequence):
    with pytest.raises(InputError, match="--width"):
        Animation(panels(make_sequence), width=120)


def test_an_older_file_stays_where_the_name_tells_no_format(make_sequence, tmp_path):
    with pytest.raises(InputError, match=r"does not end in \.webp"):
        save_animation(Animation(panels(make_sequence)), tmp_path / "a.tiff")
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        save_animation(Animation(panels(make_sequence)), tmp_path / "folder.gif")


def test_a_picture_that_is_no_animation_stays(make_sequence, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    before = (tmp_path / "photo.png").read_bytes()
    (tmp_path / "notes.mp4").write_text("mine")
    for name in ("photo.png", "notes.mp4"):
        with pytest.raises(InputError, match="not written by TempoGAN-Eddy as an animation"):
            save_animation(Animation(panels(make_sequence)), tmp_path / name)
    assert (tmp_path / "photo.png").read_bytes() == before
    for _ in range(2):
        save_animation(Animation(panels(make_sequence), width=300), tmp_path / "a.mp4")


def test_a_film_that_is_broken_off_leaves_nothing(make_sequence, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_animation(Animation(panels(make_sequence), width=300), tmp_path / "a.mp4", on_frame=stop)
    assert not list(tmp_path.iterdir())
