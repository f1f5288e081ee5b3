"""Write THIRD-PARTY.md: the licences of everything that an installation of this package brings.

    python scripts/licences.py

Reads the metadata of the installed packages, from the requirements of tempogan-eddy on, without its extras.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).resolve().parent.parent / "THIRD-PARTY.md"

HEAD = """# Licences of what this package needs

`python scripts/licences.py` writes this page from the metadata of the installed packages. The package itself is
Apache-2.0 and contains none of them, but a coastline.

**OpenCV.** The wheels of opencv-python-headless contain FFmpeg, under the LGPL 2.1, as shared libraries of their own
that you may replace. Their licence texts and where to get the sources: `LICENSE-3RD-PARTY.txt` in the package's
`dist-info`, and <https://github.com/opencv/opencv-python>.

**Natural Earth.** The coastline in the package (`display/coast.bin`) is that of Natural Earth 4.1.0 at 1:50 million,
which is in the public domain, from the npm package world-atlas 2.0.2: Copyright 2013-2019 Michael Bostock. Permission
to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided
that the above copyright notice and this permission notice appear in all copies. (ISC licence, without warranty.)

| package | licence |
| --- | --- |
"""


def needed(name: str, found: dict[str, Distribution]) -> None:
    """Add a package and all that it requires here to ``found``, by name."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return
    try:
        found[key] = distribution(name)
    except PackageNotFoundError:  # not for this platform
        return
    for text in found[key].requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed(requirement.name, found)


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
    found: dict[str, Distribution] = {}
    needed("tempogan-eddy", found)
    del found["tempogan-eddy"]
    PAGE.write_text(HEAD + "".join(f"| {name} | {licence(found[name])} |\n" for name in sorted(found)))
    print(f"{PAGE.name}: {len(found)} packages")


if __name__ == "__main__":
    main()
