"""`requirements.lock`, from which the workflow installs, follows `pyproject.toml`. `make lock` writes it anew."""

import re
import tomllib
from pathlib import Path

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
