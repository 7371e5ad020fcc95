"""Where things lie, by default and by the environment."""

from pathlib import Path

import pytest

from gan.errors import InputError
from tasks.runtime.settings import Settings, require_writable_home

NAMES = ("GANFLOW_HOME", "GANFLOW_STORAGE", "GANFLOW_INCEPTION_WEIGHTS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")
CACHE = "GANFLOW_CACHE"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in (*NAMES, CACHE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults(tmp_path):
    settings = Settings()
    assert settings.home == tmp_path
    assert settings.data_dir == tmp_path / "data"
    assert settings.synthetic_dir == tmp_path / "synthetic"
    assert settings.cache_dir == tmp_path / ".ganflow" / "cache"
    assert settings.storage == str(tmp_path / ".ganflow" / "runs")
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.ray_address is None
    assert settings.ganflow_inception_weights is None
    assert list(tmp_path.iterdir()) == []


def test_the_environment_counts(monkeypatch, tmp_path):
    values = (str(tmp_path / "home"), "s3://bucket/runs", "/weights.pth", "http://mlflow:5000", "ray://head:10001")
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.home == tmp_path / "home"
    assert settings.storage == "s3://bucket/runs"
    assert settings.ganflow_inception_weights == Path("/weights.pth")
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.ray_address == "ray://head:10001"
    assert not settings.home.exists()


@pytest.mark.parametrize("name", ["GANFLOW_STORAGE", "MLFLOW_TRACKING_URI"])
def test_an_empty_variable_is_as_good_as_none(monkeypatch, name):
    wanted = (Settings().storage, Settings().tracking_uri)
    monkeypatch.setenv(name, "")
    assert (Settings().storage, Settings().tracking_uri) == wanted


def test_what_is_shown_of_an_address_has_no_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://bob:hunter2@host/base?token=s3cret")
    assert Settings().tracking_uri == "https://bob:hunter2@host/base?token=s3cret"
    assert Settings().tracking_place == Settings().mlflow_page == "https://host/base"


def test_home_may_be_relative_or_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("GANFLOW_HOME", "here")
    assert Settings().home == tmp_path / "here"
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("GANFLOW_HOME", "~/there")
    assert Settings().home == Path("/somewhere/there")


def test_a_writable_home_is_made(tmp_path):
    settings = Settings(ganflow_home=tmp_path / "new" / "home")
    require_writable_home(settings)
    require_writable_home(settings)
    assert settings.state_dir.is_dir()
    assert list(settings.state_dir.iterdir()) == []


def test_a_home_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    with pytest.raises(
        InputError, match=rf"home folder {home} cannot be written \(Not a directory\): set GANFLOW_HOME"
    ):
        require_writable_home(Settings(ganflow_home=home))


def test_a_cache_that_is_named_is_the_homes_and_the_nodes(monkeypatch, tmp_path):
    monkeypatch.setenv("GANFLOW_CACHE", "cache")
    assert Settings().cache_dir == Settings().node_cache_dir == tmp_path / "cache"
    assert Settings().resident_dir == tmp_path / "cache" / "resident"
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("GANFLOW_CACHE", "~/there")
    assert Settings().cache_dir == Path("/somewhere/there")


@pytest.mark.parametrize(
    ("xdg", "wanted"),
    [(None, "/somewhere/.cache/ganflow"), ("/caches", "/caches/ganflow"), ("", "/somewhere/.cache/ganflow")],
)
def test_a_node_keeps_its_cache_where_the_system_has_such(monkeypatch, xdg, wanted):
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert Settings().node_cache_dir == Path(wanted)


def test_a_node_without_any_home_is_told_what_to_set(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(InputError, match="set GANFLOW_CACHE on this node"):
        Settings().node_cache_dir  # noqa: B018


@pytest.mark.parametrize(("address", "cluster"), [(None, False), ("local", False), ("auto", True), ("a:6379", True)])
def test_a_cluster_is_what_ray_is_told_to_join(address, cluster):
    assert Settings(ray_address=address).on_cluster == cluster
