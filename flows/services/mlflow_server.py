"""How `ganflow up` starts MLflow's server: by which names it answers, and what lets people in."""

import contextlib
import secrets
import sqlite3
from pathlib import Path

from flows.services.addresses import mlflow_access
from flows.services.private_files import create_private, replace_private
from flows.services.secret import NAME
from tasks.runtime.settings import Settings


def own_mlflow(settings: Settings) -> bool:
    """Whether `ganflow up` starts a server; one that the user named is used as it is."""
    return not settings.tracking_uri.startswith(("http://", "https://"))


def mlflow_command(settings: Settings, host: str, port: int, *, with_login: bool) -> list[str]:
    """Return the arguments of `python -m` that start it; no secret is among them, nor where the database is."""
    command = ["mlflow", "server", "--no-serve-artifacts"]
    command += ["--default-artifact-root", str(settings.home / "mlartifacts"), "--workers", "1"]
    command += ["--host", host, "--port", str(port), *mlflow_access(host, port)]
    return [*command, "--app-name", "basic-auth"] if with_login else command


def login_environment(settings: Settings, secret: str) -> dict[str, str]:
    """Write what MLflow's basic-auth app reads at its start, and return the variables that lead it there.

    Args:
        settings: of the home.
        secret: of the home. Its user may do everything, others may do nothing until they are allowed to.
    """
    database, config = settings.state_dir / "mlflow-auth.db", settings.state_dir / "mlflow-auth.ini"
    if not _is_complete(database):
        database.unlink(missing_ok=True)
        create_private(database, "")
    lines = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": f"sqlite:///{database}",
        "authorization_function": "flows.services.mlflow_auth:authenticate",
    }
    text = "".join(f"{key} = {value.replace('%', '%%')}\n" for key, value in lines.items())
    replace_private(config, f"[mlflow]\n{text}")
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_USERNAME": NAME,
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret.removeprefix(f"{NAME}:"),
        # Else routes that the app has no rule for would be open.
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
    }


def _is_complete(database: Path) -> bool:
    """Whether the app had finished making its database, in which our user comes last, or was killed before."""
    if not database.is_file():
        return False
    with contextlib.closing(sqlite3.connect(database)) as connection, contextlib.suppress(sqlite3.Error):
        return connection.execute("SELECT 1 FROM users WHERE username = ?", (NAME,)).fetchone() is not None
    return False
