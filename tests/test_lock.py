"""`requirements.lock`, from which the workflow installs, follows `pyproject.toml`. `make lock` writes it anew."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def locked():
    """The pinned requirements, and the hashes of each."""
    text = "\n".join(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line[0] != "#")
    for entry in re.split(r"\n(?=\S)", text):
        pin, *hashes = re.split(r"\s*\\\n\s*--hash=", entry)
        yield Requirement(pin), hashes


def wanted(project, extras):
    """The requirements of the package with some extras, those that its extras name included."""
    found = list(map(Requirement, project["dependencies"]))
    for extra in extras:
        for each in map(Requirement, project["optional-dependencies"][extra]):
            found += wanted(project, each.extras) if each.name == project["name"] else [each]
    return found


def test_every_requirement_is_pinned_with_its_hashes():
    pins = {}
    for pin, hashes in locked():
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), pin
        (version,) = pin.specifier
        assert version.operator == "=="
        pins.setdefault(canonicalize_name(pin.name), []).append(version.version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    capped = map(Requirement, (ROOT / "constraints.txt").read_text().split())
    for each in [
        *wanted(project, ["dev", "docs", "test-s3"]),
        *capped,
        Requirement("hatchling"),
        Requirement("editables"),
    ]:
        versions = pins.get(canonicalize_name(each.name))
        assert versions and all(map(each.specifier.contains, versions)), f"{each}: run `make lock`"


def test_no_library_of_cuda_is_pinned():
    assert not [pin for pin, _ in locked() if re.match("cuda-|nvidia-|triton$", pin.name)]


def test_the_page_of_licences_lists_what_the_package_and_its_extras_need():
    """`python scripts/licences.py` writes it anew."""
    page = (ROOT / "THIRD-PARTY.md").read_text()
    rows = dict(re.findall(r"^\| ([\w.-]+) \| [^|]+ \| ([^|]*) \|$", page, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    always = {canonicalize_name(each.name) for each in wanted(project, [])}
    assert {name: rows.get(name, "missing").strip() for name in always} == dict.fromkeys(always, "")
    for extra in ("train", "view", "report", "export", "onnxruntime", "openvino", "cluster", "s3"):
        for each in wanted(project, [extra])[len(project["dependencies"]) :]:
            brought = rows.get(canonicalize_name(each.name), "missing").strip()  # empty: another package brings it
            assert not brought or extra in brought.split(", "), f"{each}: run scripts/licences.py"
    assert "scikit-image" not in rows, "a package of the tests alone"


def test_the_recipe_for_conda_follows_the_requirements():
    """Conda has no extras, so its package needs what `train`, `view`, `report` and `cluster` do."""
    named = {"torch": "pytorch", "opencv-python-headless": "py-opencv", "matplotlib": "matplotlib-base"}
    named |= {"dask": "dask-core"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = yaml.safe_load(re.sub(r"\$\{\{.*?\}\}", "x", (ROOT / "conda" / "recipe.yaml").read_text()))
    listed = dict(text.split() for text in recipe["requirements"]["run"])
    wants = {}
    for each in wanted(project, ["train", "view", "report", "cluster"]):
        wants[named.get(each.name, canonicalize_name(each.name))] = str(each.specifier)
    assert listed == wants | {"python": ">=3.11,<3.14"}
    assert f'version: "{project["version"]}"' in (ROOT / "conda" / "recipe.yaml").read_text()
    assert f"version: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()
