"""`scripts/publish.py` gives a release one version, a dated section with the models' hashes, and a tag."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPECIFICATION = importlib.util.spec_from_file_location("publish", ROOT / "scripts" / "publish.py")
publish = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(publish)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The files that state a version, as they are here, in a repository of their own, with a small model."""
    for name in (*publish.PLACES, publish.CHANGELOG):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    changelog = tmp_path / publish.CHANGELOG
    text = re.sub(
        r"(## \[Unreleased\]\n).*?(?=^## )", r"\1\n### Added\n\n- A door.\n\n", changelog.read_text(), flags=re.S | re.M
    )
    changelog.write_text(text)
    models = tmp_path / "src" / "tempogan_eddy" / "released"
    models.mkdir()
    (models / "eddy.safetensors").write_bytes(b"weights")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@b.c")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    return tmp_path


def test_a_release_has_one_version_a_section_with_hashes_and_a_tag(repository):
    section = publish.publish(repository, "9.8.7", "2030-01-02")
    for name, line in publish.PLACES.items():
        assert re.findall(line, (repository / name).read_text(), re.MULTILINE) == ["9.8.7"], name
    assert "date-released: 2030-01-02\n" in (repository / "CITATION.cff").read_text()
    assert section.startswith("## [9.8.7] - 2030-01-02\n\n### Added\n\n- A door.\n\n### Models\n")
    assert f"| `eddy.safetensors` | {hashlib.sha256(b'weights').hexdigest()} |" in section
    changelog = (repository / publish.CHANGELOG).read_text()
    assert f"## [Unreleased]\n\n{section}\n## [0.1.0]" in changelog
    assert publish.git(repository, "status", "--porcelain") == ""
    assert (
        publish.git(repository, "tag", "--list", "v9.8.7", "--format=%(contents)")
        == f"Release 9.8.7\n\n{section}".strip()
    )
    assert publish.git(repository, "rev-parse", "v9.8.7^{commit}") == publish.git(repository, "rev-parse", "HEAD")


def test_a_release_is_refused_before_anything_is_written(repository):
    with pytest.raises(SystemExit, match="three numbers"):
        publish.publish(repository, "next", "2030-01-02")
    publish.publish(repository, "9.8.7", "2030-01-02")
    with pytest.raises(SystemExit, match="exists"):
        publish.publish(repository, "9.8.7", "2030-01-02")
    with pytest.raises(SystemExit, match="Nothing stands"):
        publish.publish(repository, "9.8.8", "2030-01-02")
    assert publish.git(repository, "status", "--porcelain") == ""
    (repository / "CITATION.cff").write_text("changed")
    with pytest.raises(SystemExit, match="changes"):
        publish.publish(repository, "9.9.0", "2030-01-02")
    assert publish.git(repository, "tag") == "v9.8.7"
