"""The page of an evaluation: it holds what was measured, needs nothing but itself, and says what is not known."""

import base64
import io
import re
import shlex
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from evaluation_cases import SCALE, noisy, sequence
from tempogan_eddy.display import report_page
from tempogan_eddy.display.chart import draw_errors, draw_spectra, page_axes, svg_of
from tempogan_eddy.display.closeups import choose_closeups
from tempogan_eddy.display.figures import save_crops
from tempogan_eddy.display.report_page import ReportPage
from tempogan_eddy.display.report_parts import SCORES_START, read_scores, wrapped
from tempogan_eddy.display.words import summary, training_overlap
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Settings, Spectra, combine, error_by_kelvin, evaluate

pytestmark = pytest.mark.usefixtures("small_films")  # not for the page that all tests share: it is made before

COMMAND = "tempogan-eddy evaluate --truth <truth> --report page.html"
ATTRIBUTES = {
    "super_resolution_model": "best.safetensors",
    "super_resolution_model_sha256": "ab" * 32,
    "super_resolution_training_data": "200717 2007-09-01T00:00/2007-09-02T00:00; b 2007-10-01T00:00/2007-10-02T00:00",
    "history": "2026-01-01T00:00:00Z tempogan-eddy coarsen a -o b.nc\n"
    "2026-01-01T00:00:01Z tempogan-eddy reconstruct b.nc -o c.nc\nsomething else",
}


class Elements(HTMLParser):
    """Every element with its attributes, whether all are closed in order, and the text."""

    VOID = frozenset({"meta", "img", "br", "source"})

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


@pytest.fixture(scope="module")
def truth():
    return sequence(frames=8)


@pytest.fixture(scope="module")
def result(truth):
    return evaluate(truth, noisy(truth), settings=Settings(block="1h"))


@pytest.fixture(scope="module")
def page(truth, result, tmp_path_factory):
    made = noisy(truth).assign_attrs(ATTRIBUTES | {"scale": SCALE})
    report, drawn = ReportPage(COMMAND, {"sha256": "ab" * 32, "epoch": 8}, credit="Data by <nobody>"), []
    report.add(result, truth, made, None, lambda done, total: drawn.append((done, total)))
    assert drawn == [(n, 8) for n in range(1, 9)]
    return report.save(tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture(scope="module")
def html(page):
    return page.read_text()


def test_the_page_is_whole_and_needs_no_other_file(html):
    elements = Elements(html)
    assert elements.open == []
    identifiers = [attrs["id"] for _, attrs in elements.found if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    for tag, attrs in elements.found:
        for key in ("src", "href", "srcset", "data"):
            address = attrs.get(key)
            if address is not None:
                assert address.startswith("data:") or (address[0] == "#" and address[1:] in identifiers), (tag, address)
    assert all(name in identifiers for name in re.findall(r"url\(#(\w+)\)", html))
    assert not re.findall(r"url\((?!#)", html) and "@import" not in html
    assert [attrs.get("type") for tag, attrs in elements.found if tag == "script"] == ["application/json"]
    assert ("a", {"href": "#reproduce"}) in elements.found


def test_the_page_prints_the_scores_with_their_intervals(html, result):
    text = Elements(html).text
    score = result.scores["reconstructed"]["rmse"]
    assert f"{score.value:.3f}" in text and f"{score.low:.3f} … {score.high:.3f}" in text
    for word in ("Cold RMSE", "LSD of spectra", "tOF", "back-projected bicubic", "8 frames, 7 pairs 1h apart"):
        assert word in text, word


def test_what_was_run_stands_escaped_and_can_be_run_again(html):
    assert "--truth &lt;truth&gt;" in html and "<truth>" not in html and "<nobody>" not in html
    text = Elements(html).text
    commands = ["tempogan-eddy coarsen a -o b.nc", "tempogan-eddy reconstruct b.nc -o c.nc", COMMAND]
    places = [text.index(command, text.index("How to reproduce it", text.index("As its file"))) for command in commands]
    assert places == sorted(places)
    assert "something else" not in text
    assert "the fingerprints are equal" in text and "Data by <nobody>" in text


def test_scores_come_back_from_the_page(page, result):
    stored = read_scores(page)
    assert stored[0]["scores"]["bicubic"]["rmse"]["value"] == result.scores["bicubic"]["rmse"].value
    assert len(stored[0]["spectra"]["power"]["truth"]) == 48
    assert sum(part["share"] for part in stored[0]["error_by_kelvin"]) == pytest.approx(1, abs=1e-3)


def test_pictures_are_of_the_truth_and_the_animation_moves(html, truth, result):
    elements = Elements(html)
    pictures = [attrs["src"] for tag, attrs in elements.found if tag == "img"]
    crops = [Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) for uri in pictures]
    film = crops.pop()
    assert film.format == "WEBP" and film.n_frames == 8
    assert len(crops) == 15 and {crop.size for crop in crops} == {(48, 48)}
    # Detail: repeated pixels in the input, all of it in the truth.
    first = np.asarray(crops[0].convert("RGB")).astype(int)
    assert (first[::4, ::4].repeat(4, 0).repeat(4, 1) == first).all()
    assert len(np.unique(np.asarray(crops[3]).reshape(-1, 3), axis=0)) > len(np.unique(first.reshape(-1, 3), axis=0))
    assert len(html) < 8e6


def test_the_whole_frame_and_the_animation_have_a_map_where_places_are_known(truth, result):
    pictures = []
    side = truth.shape[-1]
    places = {
        "lat": ("y", np.linspace(30, 20, truth.shape[-2]), {"standard_name": "latitude"}),
        "lon": ("x", np.linspace(115, 125, side), {"standard_name": "longitude"}),
    }
    for known in ({}, places):
        located = truth.drop_vars(["lat", "lon"], errors="ignore").assign_coords(known)
        report = ReportPage(COMMAND)
        report.add(result, located, noisy(located), None)
        part = report.storms[0]
        pictures.append((part["crops"]["overview"], part["films"][0]["still"], part["crops"]["rows"][0]["crops"]))
    (plain, still, crops), (mapped, mapped_still, same_crops) = pictures
    assert plain != mapped and still != mapped_still and crops == same_crops


def test_several_storms_begin_with_all_of_them_and_only_the_first_have_pictures(truth, tmp_path, monkeypatch):
    monkeypatch.setattr(report_page, "PICTURED", 2)
    report = ReportPage(COMMAND)
    results = []
    for number in range(3):
        here = truth.isel(time=slice(0, 2)).assign_attrs(truth.attrs | {"sequence": f"storm {number}"})
        results.append(evaluate(here, noisy(here)))
        report.add(results[-1], here, noisy(here), None)
    report.add_combined(combine(results))
    html = report.save(tmp_path / "page.html").read_text()
    elements = Elements(html)
    assert sum(tag == "img" for tag, _ in elements.found) == 2 * 16
    assert "Only the first 2 storms have pictures" in elements.text
    assert [part["storm"] for part in read_scores(tmp_path / "page.html")][:2] == ["all storms", "storm 0"]
    assert elements.text.index("all storms: 4×") < elements.text.index("Storm storm 0")
    assert "The reconstruction records no command" in elements.text
    assert "does not record what it was trained on" in elements.text


def test_compared_methods_have_colours_of_their_own_and_stand_in_the_crops(truth, tmp_path):
    truth = truth.isel(time=slice(0, 2))
    beside = {f"rival {number}": noisy(truth, seed=number) for number in (2, 3)}
    result = evaluate(truth, {"reconstructed": noisy(truth), **beside})
    report = ReportPage(COMMAND)
    report.add(result, truth, noisy(truth), None, beside=beside)
    html = report.save(tmp_path / "page.html").read_text()
    keys = dict(re.findall(r'<li style="--key: var\((--[\w-]+)\)">([^<]+)</li>', html))
    assert keys == {**keys, "--other-1": "rival 2", "--other-2": "rival 3", "--reconstructed": "reconstructed"}
    styles = html[html.index("<style>") : html.index("</style>")]
    assert all(styles.count(f"{variable}:") == 3 for variable in keys)  # light, dark and paper
    assert all(f"stroke: var({variable})" in html for variable in keys)
    captions = re.findall(r"<figcaption><b>([^<]+)</b><br>RMSE", html)
    assert captions == 3 * ["input", "bicubic", "reconstructed", "rival 2", "rival 3"]
    save_crops(truth, noisy(truth), tmp_path / "one.png")
    save_crops(truth, noisy(truth), tmp_path / "three.png", beside=beside)
    one, three = (Image.open(tmp_path / f"{name}.png").size[0] for name in ("one", "three"))
    assert three > 1.3 * one


def test_missing_pixels_and_one_frame_are_no_obstacle(tmp_path):
    truth = sequence(frames=1)
    truth = truth.copy(data=truth.values.copy())
    truth[0, :30] = np.nan
    made = noisy(truth)
    report = ReportPage(COMMAND, colours="bd")
    report.add(evaluate(truth, made), truth, made, None)
    assert "No intervals" in report.save(tmp_path / "page.html").read_text()


def test_other_files_are_not_replaced(tmp_path):
    report = ReportPage(COMMAND)
    (tmp_path / "folder.html").mkdir()
    for name, words in (("scores.json", "does not end in .html"), ("folder.html", "is a folder")):
        with pytest.raises(InputError, match=words):
            report.save(tmp_path / name)
    (tmp_path / "other.html").write_text("<p>hello</p>")
    with pytest.raises(InputError, match="not written by TempoGAN-Eddy as a report"):
        report.save(tmp_path / "other.html")
    assert (tmp_path / "other.html").read_text() == "<p>hello</p>"
    with pytest.raises(InputError, match="no report"):
        read_scores(tmp_path / "other.html")
    (tmp_path / "cut.html").write_text(SCORES_START + '{"storms": [')
    with pytest.raises(InputError, match="damaged"):
        read_scores(tmp_path / "cut.html")


# --- words


def test_the_summary_says_what_the_scores_say(truth, result):
    sentences = summary(result)
    assert sentences[0].startswith("Over 8 frames of 200717 the 4× reconstruction is 1.99 K off")
    # White noise has far more fine energy than the truth.
    share = int(re.search(r"it has (\d+)\s%", sentences[1]).group(1))
    assert share > 100 and "bicubic" in sentences[1]
    better = summary(evaluate(truth, noisy(truth, 0.05), settings=Settings(block="1h")))[0]
    assert re.search(r"K less than bicubic \(\d\.\d\d to", better) and "K more than" not in better


def test_training_hours_are_counted(truth):
    times = truth["time"].values  # 2007-10-01, 00 to 07 h
    count, sentence = training_overlap(["200717 2007-10-01T02:00/2007-10-01T04:00"], "200717", times)
    assert count == 3 and sentence.startswith("Not held out: the model was trained on 3 of these 8 frames")
    assert training_overlap(["200717 2006-10-01T02:00/2006-10-01T04:00"], "200717", times)[0] == 0
    late = times + np.timedelta64(21, "s")  # the record names minutes
    assert training_overlap(["200717 2007-10-01T02:00/2007-10-01T04:00"], "200717", late)[0] == 3
    count, sentence = training_overlap(["200718 2007-10-01T02:00/2007-10-01T04:00"], "truth", times)
    assert count is None and "200718" in sentence and "not known" in sentence
    assert training_overlap(["train_200717 2007-10-01T07:00/2007-10-02T00:00"], "200717", times)[0] == 1
    assert training_overlap([], "200717", times)[0] is None
    assert training_overlap(["200717 some/time"], "200717", times)[0] is None


def test_a_wrapped_command_is_the_same_command():
    command = shlex.join(["tempogan-eddy", "evaluate", "--credit", "a b 'c'" * 12, "--json", "-", "--model", "x y"])
    lines = wrapped(command)
    assert lines.count("\\\n") == 3 and shlex.split(lines.replace("\\\n", "")) == shlex.split(command)
    assert wrapped("short") == "short"


# --- places and charts


def test_places_are_where_their_reasons_say():
    truth = np.full((96, 96), 280.0)
    truth[8:24, 60:76] = 200.0  # cold
    truth[60:76:2, 8:24] += 12  # fine
    made = truth.copy()
    made[64:80, 64:80] += 9  # wrong
    cold, fine, wrong = choose_closeups(truth, made, 4, side=16)
    assert (cold.top, cold.left) == (8, 60) and (fine.top, fine.left) == (60, 8)
    assert (wrong.top, wrong.left, wrong.side) == (64, 64, 16)
    assert (cold.cut(truth) == 200).all()


def test_places_do_not_overlap_and_lie_on_coarse_pixels(truth):
    places = choose_closeups(truth.values[0], noisy(truth).values[0], SCALE, side=30)
    seen = np.zeros(truth.shape[1:], int)
    for place in places:
        assert place.side == 28 and place.top % SCALE == place.left % SCALE == 0
        place.cut(seen)[:] += 1
    assert seen.max() == 1 and seen.sum() == 3 * 28**2


def test_a_chart_has_its_values_its_ticks_and_the_colours_of_the_page():
    wavenumber = np.arange(1, 33)
    power = {"truth": wavenumber**-3.0, "bicubic": 10.0 ** -(3 + wavenumber), "reconstructed": wavenumber**-3.1}
    power["bicubic"][3] = np.nan
    axes = page_axes(500, 320)
    draw_spectra(axes, Spectra(wavenumber, 8.0, power))
    assert axes.lines[-2].get_label() == "reconstructed"  # on top, below nothing but the mark of the Nyquist
    assert np.array_equal(axes.lines[0].get_ydata(), power["bicubic"], equal_nan=True)
    drawing = svg_of(axes, "a < b")
    elements = Elements(str(drawing))
    assert elements.open == [] and "a &lt; b" in drawing
    assert {"1", "10", "10⁻⁴", "lowres Nyquist", "mean power of a mode, K²"} <= set(
        map(str.strip, elements.text.split("\n"))
    )
    paths = {attrs["style"]: attrs["d"] for tag, attrs in elements.found if tag == "path" and "style" in attrs}
    bicubic = next(path for style, path in paths.items() if "stroke: var(--bicubic)" in style)
    assert bicubic.count("M") == 2 and "nan" not in bicubic  # broken where a value is missing
    assert not re.findall("#[0-9a-f]{6}", drawing)  # every colour is the page's


@pytest.mark.parametrize("top", [0.5, 13.0, 130.0])
def test_the_label_of_an_axis_has_room_beside_its_numbers(top):
    axes = page_axes(500, 320)
    axes.set_ylim(-top, top)
    axes.locator_params(nbins=6)
    axes.set_ylabel("bias, K")
    axes.figure.draw_without_rendering()
    assert axes.yaxis.label.get_window_extent().x0 >= 0


def test_errors_are_drawn_with_their_intervals_over_the_share_of_pixels(result):
    bins = error_by_kelvin(result)
    axes = page_axes(500, 320)
    draw_errors(axes, bins, "rmse")
    ours = axes.lines[-1]
    assert (ours.get_xdata() == [(part.low + part.high) / 2 for part in bins]).all()
    assert (ours.get_ydata() == [part.rmse["reconstructed"].value for part in bins]).all()
    assert len(axes.collections) == len(result.scores) and len(axes.patches) == len(bins)
    band = axes.collections[-1].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(max(part.rmse["reconstructed"].high for part in bins))
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] >= max(line.get_ydata().max() for line in axes.lines)
    mirrored = page_axes(500, 320)
    draw_errors(mirrored, bins, "bias")
    assert mirrored.get_ylim()[0] == -mirrored.get_ylim()[1]


def test_the_scores_in_the_page_cannot_end_their_element(truth, tmp_path):
    here = truth.isel(time=slice(0, 1)).assign_attrs(truth.attrs | {"sequence": "</script><b>"})
    report = ReportPage(COMMAND)
    report.add(evaluate(here, noisy(here)), here, noisy(here), None)
    html = report.save(tmp_path / "page.html").read_text()
    assert html.count("</script>") == 1 and Elements(html).open == []
    assert read_scores(tmp_path / "page.html")[0]["storm"] == "</script><b>"


def test_of_an_ensemble_the_pictures_show_the_first_member(truth, tmp_path):
    truth = truth[:3]
    members = xr.concat([noisy(truth), noisy(truth) + 1], "member").assign_coords(member=[3, 7])
    result = evaluate(truth, members, settings=Settings(block="1h"))
    pages = [ReportPage(COMMAND), ReportPage(COMMAND)]
    pages[0].add(result, truth, members, None)
    pages[1].add(result, truth, members[0], None)
    assert "The panel Reconstructed shows member 3, the first of 2." in Elements(pages[0].html()).text
    assert "member 3" not in pages[1].html()
    assert pages[0].storms[0]["crops"] == pages[1].storms[0]["crops"]
    assert save_crops(truth, members, tmp_path / "crops.png").exists()
