"""What `ganflow up` refuses before it starts anything, and what it says once it runs."""

import os

import pytest

from flows.services.banner import announcement
from flows.services.discovery import UpState
from flows.services.secret import home_secret
from flows.services.up import run_up
from gan.errors import InputError
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_", "GANFLOW_"))]:
        monkeypatch.delenv(name)
    (tmp_path / ".ganflow").mkdir()
    return Settings(ganflow_home=tmp_path)


def said(settings, host="127.0.0.1", auth="", foreign_toml=False):
    state = UpState(
        pid=1,
        prefect_api_url="http://127.0.0.1:4200/api",
        prefect_ui_url="http://127.0.0.1:4200",
        mlflow_url="http://127.0.0.1:5000",
        work_pool="ganflow",
        prefect_auth=home_secret(settings) if auth == "" else auth,
    )
    return "\n".join(announcement(settings, state, host, foreign_toml=foreign_toml))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "gpu-7"])
def test_nobody_elsewhere_is_let_in_without_a_password(settings, host):
    with pytest.raises(InputError, match="leave out --no-auth, or --host"):
        run_up(settings, host=host, auth=False)
    assert not (settings.state_dir / "secret").exists()


def test_a_list_of_sources_that_cannot_be_meant_is_refused_at_once(settings, monkeypatch):
    with pytest.raises(InputError, match="GANFLOW_SOURCES lists 'photos'"):
        run_up(settings.model_copy(update={"ganflow_sources": "photos"}))


def test_an_open_secret_stops_it(settings):
    home_secret(settings)
    (settings.state_dir / "secret").chmod(0o644)
    with pytest.raises(InputError, match="others may have read"):
        run_up(settings)


def test_it_says_how_to_get_in_and_not_the_secret(settings):
    text = said(settings)
    assert f"`cat {settings.state_dir}/secret` shows it" in text
    assert home_secret(settings).partition(":")[2] not in text
    assert "WARNING" not in text
    assert "localhost" not in text


def test_addresses_for_others_are_named(settings):
    text = said(settings, host="0.0.0.0")
    assert "Prefect answers at http://127.0.0.1:4200, http://localhost:4200" in text
    assert "MLflow answers at http://127.0.0.1:5000" in text
    assert "in the clear" in text


def test_no_password_is_warned_of(settings):
    text = said(settings, auth=None)
    assert "WARNING  --no-auth" in text
    assert "Password" not in text


def test_a_password_of_the_users_own_is_left_to_them(settings):
    text = said(settings, auth="me:mine")
    assert "what you exported as PREFECT_API_AUTH_STRING" in text
    assert "shows it: MLflow's for the name" in text
    assert "mine" not in text


def test_who_has_a_prefect_toml_is_told_what_to_export(settings):
    text = said(settings, foreign_toml=True)
    assert "export PREFECT_API_URL=http://127.0.0.1:4200/api\n" in text
    assert f'export PREFECT_API_AUTH_STRING="$(cat {settings.state_dir}/secret)"\n' in text
