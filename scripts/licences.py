"""Write THIRD-PARTY.md: the licences of everything that an installation of this package brings.

    python scripts/licences.py

Starts from the requirements in pyproject.toml and reads the metadata of the installed packages: install all of
`EXTRAS` first.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD-PARTY.md"
EXTRAS = ("train", "view", "report", "export", "onnxruntime", "openvino", "cluster", "s3")

HEAD = """# Licences of what this package needs

`python scripts/licences.py` writes this page from the metadata of the installed packages. The package itself is
Apache-2.0 and contains none of them, but a coastline.

**OpenCV.** The wheels of opencv-python-headless contain FFmpeg, under the LGPL 2.1, as shared libraries of their own
that you may replace. Their licence texts and where to get the sources: `LICENSE-3RD-PARTY.txt` in the package's
`dist-info`, and <https://github.com/opencv/opencv-python>.

**Natural Earth.** The coastline in the package (`display/coast.npz`) is that of Natural Earth 4.1.0 at 1:50 million,
which is in the public domain, from the npm package world-atlas 2.0.2: Copyright 2013-2019 Michael Bostock. Permission
to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided
that the above copyright notice and this permission notice appear in all copies. (ISC licence, without warranty.)

The last column names the extras that bring a package; it is empty where every installation has it.

| package | licence | extras |
| --- | --- | --- |
"""


def needed(texts: Iterable[str], found: dict[str, Distribution], extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """Add the packages of some requirements of a package with extras, and all that these require, to ``found``."""
    for requirement in map(Requirement, texts):
        key = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        if key not in found:
            try:
                found[key] = distribution(requirement.name)
            except PackageNotFoundError:
                raise SystemExit(
                    f"{requirement.name} is not installed; run pip install '.[{','.join(EXTRAS)}]'."
                ) from None
            needed(found[key].requires or [], found, requirement.extras)
    return found


def licence(package: Distribution) -> str:
    """Return the licence of a package as its metadata state it, in a few words."""
    metadata = package.metadata
    classifiers = [
        text.split(" :: ")[-1] for text in metadata.get_all("Classifier") or [] if text.startswith("License")
    ]
    stated = metadata.get("License-Expression") or "; ".join(classifiers)
    return stated or (metadata.get("License") or "not stated").strip().splitlines()[0][:60]


def main() -> None:
    """Write the page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = needed(project["dependencies"], {})
    brought: dict[str, list[str]] = {name: [] for name in found}
    for extra in EXTRAS:
        more = needed(project["optional-dependencies"][extra], {})
        for name in more.keys() - found.keys():
            brought.setdefault(name, []).append(extra)
    everything = needed([text for extra in EXTRAS for text in project["optional-dependencies"][extra]], dict(found))
    rows = (f"| {name} | {licence(everything[name])} | {', '.join(brought[name])} |\n" for name in sorted(everything))
    PAGE.write_text(HEAD + "".join(rows))
    print(f"{PAGE.name}: {len(everything)} packages")


if __name__ == "__main__":
    main()
