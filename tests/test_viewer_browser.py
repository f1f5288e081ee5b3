"""The page in a real browser."""

import base64
import functools
import http.server
import io
import re
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from benchmarks.browser import chromium, find_chromium, served, settle, wait_until_shown
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.rapsd import radial_power
from tempogan_eddy.viewer.export import export_site
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.site import Site
from viewer_cases import SCALE, Scenes, ensemble, long_site, site_of, storm_files

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on the PATH, or playwright is not installed"
)

VIEWPORT = {"width": 1280, "height": 800}
FINE = ("bicubic", "reconstructed", "truth")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    arrays = storm_files(folder)
    return site_of(folder), arrays


@pytest.fixture(scope="module")
def address(storm):
    with served(storm[0]) as address:
        yield address


@contextmanager
def opened(browser, address, **options):
    """A page whose console stays silent and whose requests stay on this machine; these are listed in it."""
    context = browser.new_context(**{"viewport": VIEWPORT} | options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: "ABORTED" in request.failure or complaints.append(request.failure))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    wait_until_shown(page)
    page.requests = requests
    yield page
    context.close()
    assert complaints == []
    assert requests and all(url.startswith(address) for url in requests)


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


def box(page, panel):
    return page.locator(f'.image[data-panel~="{panel}"]').bounding_box()


def place_of(page, panel, row, column, side=320):
    """Where on the screen a fine pixel's centre lies while the whole frame fits its panel."""
    area = box(page, panel)
    zoom = min(area["width"], area["height"]) / side
    return (
        area["x"] + area["width"] / 2 + (column + 0.5 - side / 2) * zoom,
        area["y"] + area["height"] / 2 + (row + 0.5 - side / 2) * zoom,
    )


def readout(page, panel, kind="kelvin"):
    return page.locator(f'.caption[data-panel="{panel}"] .{kind}')


def expect_kelvin(page, panel, expected):
    """Wait until a panel's read-out is this kelvin."""
    from playwright.sync_api import expect

    text = (
        "missing"
        if np.isnan(expected)
        else re.compile(rf"^({expected:.2f}|{expected - 0.005:.2f}|{expected + 0.005:.2f}) K$")
    )
    expect(readout(page, panel)).to_have_text(text)


def pixels(page, panel):
    """What the canvas of a panel shows, (height, width, 3)."""
    url = page.evaluate("key => document.querySelector(`.image[data-panel~='${key}']`).toDataURL()", panel)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def until(page, expression):
    """Wait until an expression is true; the page's policy forbids playwright's own way."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def test_the_kelvin_under_the_cursor_is_that_of_the_array(page, storm):
    arrays = storm[1]
    page.keyboard.press("ArrowRight")
    wait_until_shown(page, 1)
    for row, column in [(100, 37), (255, 255), (256, 256), (319, 319), (300, 3)]:
        page.mouse.move(*place_of(page, "reconstructed", row, column))
        for panel in ("truth", "reconstructed"):
            expect_kelvin(page, panel, arrays[panel][1, row, column])
        expect_kelvin(page, "lowres", arrays["lowres"][1, row // SCALE, column // SCALE])
        sign = "+" if (row + column) % 2 == 0 else "−"
        assert re.fullmatch(rf"Δ \{sign}(1\.00|0\.99|1\.01)", readout(page, "reconstructed", "difference").inner_text())
        assert f"row {row}, column {column}" in page.locator("#place").inner_text()


def test_missing_pixels_say_so_and_have_their_colour(page):
    page.mouse.move(*place_of(page, "truth", 5, 5))
    for panel in ("lowres", *FINE):
        expect_kelvin(page, panel, np.nan)
    for panel in ("lowres", *FINE):
        area, (x, y) = box(page, panel), place_of(page, panel, 10, 18)
        shown = pixels(page, panel)[round(y - area["y"]), round(x - area["x"])]
        assert tuple(shown) == PALETTES["infrared"].missing


def test_zoom_keeps_the_pixel_and_pan_moves_it(page, storm):
    x, y = place_of(page, "truth", 77, 201)
    page.mouse.move(x, y)
    for delta in (-300, -300, -300, 200, -500):
        page.mouse.wheel(0, delta)
    settle(page)
    assert "row 77, column 201" in page.locator("#place").inner_text()
    expect_kelvin(page, "truth", storm[1]["truth"][0, 77, 201])
    before = pixels(page, "bicubic")
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=3)
    page.mouse.up()
    page.mouse.move(x + 60, y + 20)
    settle(page)
    assert "row 77, column 201" in page.locator("#place").inner_text()
    # The other panels went with it.
    # But for places on the border of two pixels, where rounding decides.
    assert (pixels(page, "bicubic")[20:, 60:] != before[:-20, :-60]).mean() < 0.03


def test_enlarged_pixels_have_the_colours_of_the_tables(page, storm):
    page.mouse.move(*place_of(page, "truth", 150, 150))
    for _ in range(7):
        page.mouse.wheel(0, -240)
    settle(page)
    for name in ("grey", "bd", "viridis", "infrared"):
        page.keyboard.press("c")
        settle(page)
        area, (x, y) = box(page, "truth"), place_of(page, "truth", 150, 150)
        shown = pixels(page, "truth")[round(y - area["y"]), round(x - area["x"])]
        kelvin = np.round(storm[1]["truth"][0, 150, 150].astype(float), 2)
        assert np.abs(shown.astype(int) - PALETTES[name].rgb(np.array(kelvin))).max() <= 3


def test_the_swipe_moves_the_border_between_two_panels(page):
    page.keyboard.press("w")
    handle = page.get_by_role("slider", name="Border")
    page.get_by_label("Left panel").select_option("lowres")
    page.get_by_label("Right panel").select_option("truth")
    settle(page)
    middle = pixels(page, "truth")
    area, grip = box(page, "truth"), handle.bounding_box()
    page.mouse.move(grip["x"] + 14, grip["y"] + 100)
    page.mouse.down()
    page.mouse.move(area["x"] + 0.8 * area["width"], grip["y"] + 100, steps=4)
    page.mouse.up()
    settle(page)
    assert handle.get_attribute("aria-valuenow") == "80"
    right = pixels(page, "truth")
    from_, to = round(0.55 * area["width"]), round(0.75 * area["width"])
    assert (middle[:, from_:to] != right[:, from_:to]).any(), "what the border passed now shows the other panel"
    np.testing.assert_array_equal(middle[:, : from_ - 100], right[:, : from_ - 100])
    np.testing.assert_array_equal(middle[:, to + 80 :], right[:, to + 80 :])
    page.keyboard.press("[")
    page.wait_for_selector('.handle[aria-valuenow="78"]')


def test_playing_advances_the_time_and_pausing_holds_it(page):
    page.evaluate(
        """() => {
            window.times = [];
            const watch = (changes) => times.push(...changes.flatMap(({ addedNodes: [text] }) => text?.data ?? []));
            new MutationObserver(watch).observe(document.getElementById("time"), { childList: true });
        }"""
    )
    page.keyboard.press(" ")
    until(page, "times.length >= 6")
    page.keyboard.press(" ")
    page.wait_for_selector("body[data-playing='false']")
    wait_until_shown(page)
    hours = [int(text[11:13]) for text in page.evaluate("times")]
    assert hours[:6] == [1, 2, 3, 4, 0, 1], f"{hours}: every frame in turn, then from the start"
    still = page.evaluate("times.length")
    page.wait_for_timeout(400)
    assert page.evaluate("times.length") == still


def test_steps_scrubs_and_the_best_track(page):
    page.get_by_label("One frame forward").click()
    wait_until_shown(page, 1)
    facts = page.locator("#facts").inner_text()
    assert "999 hPa" in facts and "10 kt" in facts and "Typhoon" in facts and "12.3°N 129.0°E" in facts
    line = page.locator("#timeline").bounding_box()
    page.mouse.click(line["x"] + line["width"] - 17, line["y"] + 20)
    wait_until_shown(page, 4)
    assert page.locator("#time").inner_text() == "2001-07-01 04:00 UTC"
    assert page.locator("#timeline").get_attribute("aria-valuetext") == "2001-07-01 04:00 UTC"
    page.keyboard.press("Home")
    wait_until_shown(page, 0)


def test_differences_panels_and_help_by_key(page):
    page.keyboard.press("d")
    settle(page)
    assert page.locator("#mode").input_value() == "truth"
    # One kelvin above and below, pixel by pixel: two colours near black, in a field of nothing else.
    valid = pixels(page, "reconstructed")[-60:, 200:240]
    assert valid.max() < 110
    page.keyboard.press("2")
    page.wait_for_selector('.caption[data-panel="bicubic"]', state="detached")
    page.keyboard.press("2")
    page.wait_for_selector('.caption[data-panel="bicubic"]')
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")


def test_what_is_subtracted_and_both_legends_are_told(page):
    page.keyboard.press("d")
    settle(page)
    notes = page.locator(".caption .note").all_inner_texts()
    assert notes == ["− truth", "− truth", "− truth", "320×320"]


def test_the_page_tells_how_to_make_it_again(page):
    page.keyboard.press("i")
    about = page.locator("#about").inner_text()
    assert "plausible, not observed" in about
    commands = page.locator("#commands").inner_text().splitlines()
    assert commands[1:] == ["tempogan-eddy reconstruct coarse.nc -o fine.nc", "tempogan-eddy view fine.nc"]
    page.keyboard.press("Escape")
    assert not page.locator("#about").is_visible()


def test_a_tap_reads_and_a_finger_moves(browser, address, storm):
    with opened(browser, address, has_touch=True, is_mobile=True) as page:
        page.touchscreen.tap(*place_of(page, "truth", 200, 123))
        expect_kelvin(page, "truth", storm[1]["truth"][0, 200, 123])
        page.touchscreen.tap(*place_of(page, "lowres", 40, 250))
        expect_kelvin(page, "truth", storm[1]["truth"][0, 40, 250])


def test_a_phone_shows_whole_names_and_large_panels_and_scrolls_to_the_analysis(browser):
    from playwright.sync_api import expect

    together, _, truth = ensemble()
    site = Site(Scenes(build_scene("storm", {"storm": together}, truth=truth)))
    size = {"width": 360, "height": 740}
    with served(site) as address, opened(browser, address, viewport=size, has_touch=True, is_mobile=True) as page:
        wide = "[...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > 360)"
        assert page.evaluate(f"{wide}.map((one) => one.outerHTML)") == []
        cut = "[...document.querySelectorAll('.caption b')].filter((name) => name.scrollWidth > name.clientWidth)"
        assert page.evaluate(f"{cut}.map((name) => name.textContent)") == []
        before = box(page, "truth")
        assert min(before["width"], before["height"]) > 110
        assert not page.locator("#analysis").is_visible()
        page.get_by_role("button", name="Analysis").tap()
        expect(page.locator("#analysis")).to_be_in_viewport()
        assert page.evaluate("scrollY") > 100
        expect(page.locator("#place")).to_be_in_viewport()
        assert box(page, "truth")["width"] == before["width"]


def test_the_spectrum_is_that_of_the_evaluation(page, storm):
    field = storm[1]["truth"][0, 64:320, 64:320].astype(np.float64)
    found = page.evaluate(
        "async field => Array.from((await import('./fourier.js')).radialSpectrum(Float64Array.from(field), 256))",
        field.ravel().tolist(),
    )
    np.testing.assert_allclose(found, radial_power(field), rtol=1e-6)
    # Of this frame, 256 pixels in the middle are in view in every panel.
    page.wait_for_selector('#spectrum[data-lines="4"]')
    assert page.locator("#spectrum-note").inner_text() == "256×256 px"


def test_a_transect_is_drawn_with_the_mouse(page):
    page.keyboard.press("t")
    page.mouse.move(*place_of(page, "truth", 100, 60))
    page.mouse.down()
    page.mouse.move(*place_of(page, "truth", 100, 260), steps=4)
    page.mouse.up()
    page.wait_for_selector("body[data-drawing='false']")
    line = page.evaluate("async () => (await import('./state.js')).state.line")
    assert [round(line[key] - 0.5) for key in ("x0", "y0", "x1", "y1")] == [60, 100, 260, 100]
    drawn = page.evaluate(
        """async () => {
            const [{ along }, { state }] = await Promise.all([import("./analysis.js"), import("./state.js")]);
            const panel = state.scene.panels.find(({ key }) => key === "truth");
            return Array.from(along(panel, state.line, 0).ys);
        }"""
    )
    assert len(drawn) == pytest.approx(400, abs=3)


@pytest.mark.slow
def test_a_thousand_large_frames_load_only_what_is_shown(browser):
    site, read = long_site()
    with served(site) as address, opened(browser, address) as page:
        tiles = [url for url in page.requests if url.endswith(".u16")]
        page.wait_for_timeout(300)
        settled = [url for url in page.requests if url.endswith(".u16")]
        frames = {int(url.split("/")[-3]) for url in settled}
        assert len(tiles) <= len(settled) and frames <= {0, 1}, "the frame shown and the one that comes next"
        # The frame's 64 tiles are seen from afar: a coarser level in four tiles at most.
        assert len(settled) <= 2 * 16 and set(read) <= {0, 1}
        line = page.locator("#timeline").bounding_box()
        page.mouse.click(line["x"] + line["width"] / 2, line["y"] + 20)
        page.wait_for_selector("body[data-shown^='49'], body[data-shown^='50']")
        shown = int(page.locator("body").get_attribute("data-shown"))
        page.mouse.move(*place_of(page, "sequence", 1500, 700, 2048))
        expect_kelvin(page, "sequence", 200 + 2200 / 4096 * 100 + shown / 100)
        assert set(read) <= {0, 1, shown, shown + 1, shown - 1}
        # Close by, the full resolution of a few tiles.
        before = len(page.requests)
        for _ in range(8):
            page.mouse.wheel(0, -240)
        settle(page)
        assert len(page.requests) - before <= 40


def test_a_member_is_chosen_by_menu_and_by_key(browser):
    together, plain, truth = ensemble()
    site = Site(Scenes(build_scene("storm", {"storm": together}, truth=truth)))
    with served(site) as address, opened(browser, address) as page:
        assert page.get_by_label("Member", exact=True).locator("option").all_inner_texts() == [
            "Member 3",
            "Member 7",
            "Mean",
        ]
        page.mouse.move(*place_of(page, "reconstructed", 170, 99))
        expect_kelvin(page, "reconstructed", float(plain[0][0, 170, 99]))
        page.get_by_label("Member", exact=True).select_option("Member 7")
        expect_kelvin(page, "reconstructed", float(plain[1][0, 170, 99]))
        page.keyboard.press("m")
        expect_kelvin(page, "reconstructed", float(plain[0][0, 170, 99]) + 0.5)
        page.keyboard.press("m")
        expect_kelvin(page, "reconstructed", float(plain[0][0, 170, 99]))
        expect_kelvin(page, "truth", float(truth[0, 170, 99]))


def test_spread_and_probability_below_a_threshold_and_below_the_cross(browser):
    from playwright.sync_api import expect

    together, plain, truth = ensemble()
    site = Site(Scenes(build_scene("storm", {"storm": together}, truth=truth)))
    kelvin = np.stack([one.values[0] for one in plain])
    title = '.caption[data-panel="probability"] b'
    # A place where a member is below the rounded kelvin of the first one, and another is not.
    rows, columns = np.nonzero((kelvin < np.rint(kelvin[0])).sum(axis=0) == 1)
    row, column = next((y, x) for y, x in zip(rows, columns, strict=True) if 60 < y < 260 and 60 < x < 260)
    with served(site) as address, opened(browser, address) as page:
        page.mouse.move(*place_of(page, "reconstructed", row, column))
        expect(readout(page, "spread")).to_have_text("0.71 K")
        assert page.locator(title).inner_text() == "P(T < 225 K)"
        expect(readout(page, "probability")).to_have_text(f"{round(100 * (kelvin[:, row, column] < 225).mean())} %")
        page.get_by_label("Threshold").select_option("cross")
        expect(page.locator(title)).to_have_text(f"P(T < {round(float(kelvin[0, row, column]))} K)")
        expect(readout(page, "probability")).to_have_text("50 %")
        page.keyboard.press("d")
        settle(page)
        assert page.locator('.caption[data-panel="spread"] .difference').inner_text() == ""
        page.keyboard.press("s")
        page.get_by_label("Spread").uncheck()
        page.wait_for_selector('.caption[data-panel="spread"]', state="detached")


def test_a_plain_sequence_has_no_menu_of_members(page):
    assert page.get_by_label("Member", exact=True).is_hidden()


def test_an_exported_page_works_from_any_web_server(browser, storm, tmp_path):
    export_site(storm[0], tmp_path / "page")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with opened(browser, f"http://127.0.0.1:{server.server_port}/") as page:
                page.keyboard.press("End")
                wait_until_shown(page, 4)
                page.mouse.move(*place_of(page, "truth", 170, 99))
                expect_kelvin(page, "truth", storm[1]["truth"][4, 170, 99])
        finally:
            server.shutdown()
            thread.join()
