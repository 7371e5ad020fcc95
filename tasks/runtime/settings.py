"""Settings of the place, not of the science: where things lie and which servers to use, from the environment."""

import getpass
import os
import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from gan.errors import InputError
from gan.text.credentials import bare_address
from tasks.runtime.failures import explained

# Read by OpenMP when PyTorch is loaded. A thread that waits for another's part of a layer looks for it about ten
# microseconds long, then sleeps: a quarter faster than sleeping at once. Looking for as long as OpenMP would, hundreds
# of times that, takes the core which the other may need: beside a busy process a loop is then four times slower.
THREADS_WAIT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}

_MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"  # as a folder, an address and a filter of MLflow's can hold it
_ROOM_BYTES = 2**20


class Settings(BaseSettings):
    """Read from `GANFLOW_*`, `MLFLOW_TRACKING_URI`, `RAY_ADDRESS` and `XDG_CACHE_HOME`; reading it changes nothing."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    ganflow_home: Path = Field(default_factory=Path.cwd)
    ganflow_storage: str | None = None
    ganflow_cache: Path | None = None
    ganflow_inception_weights: Path | None = None
    ganflow_ship_code: bool = False
    ganflow_feed_memory: ByteSize | None = None
    ganflow_price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    ganflow_model: Annotated[str, Field(pattern=_MODEL_NAME)] = "gan-generator"
    ganflow_user: str | None = None
    ganflow_signing_key: Path | None = None
    ganflow_mlflow_page: str | None = None
    ganflow_sources: str | None = None
    ganflow_source_token: SecretStr | None = None
    mlflow_tracking_uri: str | None = None
    ray_address: str | None = None
    xdg_cache_home: Path | None = None

    @property
    def home(self) -> Path:
        """Absolute folder that holds `data/`, `synthetic/` and `mlflow.db`."""
        return self.ganflow_home.expanduser().absolute()

    @property
    def data_dir(self) -> Path:
        """The current dataset."""
        return self.home / "data"

    @property
    def synthetic_dir(self) -> Path:
        """The releases."""
        return self.home / "synthetic"

    @property
    def unfinished_dir(self) -> Path:
        """Releases that are being drawn, or were when their process was killed."""
        return self.state_dir / "releases"

    @property
    def quarantine_dir(self) -> Path:
        """Releases that are not fit to be handed on."""
        return self.state_dir / "quarantine"

    @property
    def state_dir(self) -> Path:
        """What ganflow keeps for itself: caches, locks, runs; never shared, never committed."""
        return self.home / ".ganflow"

    @property
    def cache_dir(self) -> Path:
        """Decoded datasets, feature statistics and weights; safe to delete."""
        return self._given_cache or self.state_dir / "cache"

    @property
    def node_cache_dir(self) -> Path:
        """The same on a node of a cluster, where there is no home of ganflow's.

        Raises:
            InputError: the user of this process has no home folder either.
        """
        if self._given_cache is not None:
            return self._given_cache
        if self.xdg_cache_home is not None and self.xdg_cache_home.is_absolute():
            return self.xdg_cache_home / "ganflow"
        try:
            return Path.home() / ".cache" / "ganflow"
        except RuntimeError:
            raise InputError("there is no home folder to keep a cache in: set GANFLOW_CACHE on this node") from None

    @property
    def _given_cache(self) -> Path | None:
        return self.ganflow_cache and self.ganflow_cache.expanduser().absolute()

    @property
    def resident_dir(self) -> Path:
        """Decoded datasets, a folder per version."""
        return self.cache_dir / "resident"

    @property
    def feed_memory(self) -> int | None:
        """Bytes of training images that each worker may hold; None: what leaves room for the rest."""
        return None if self.ganflow_feed_memory is None else int(self.ganflow_feed_memory)

    @property
    def storage(self) -> str:
        """Path or URL of checkpoints, and of what a cluster's nodes need to train: all of them must reach it."""
        storage = self.ganflow_storage or str(self.state_dir / "runs")
        return storage if "://" in storage else str(Path(storage).expanduser().absolute())

    @property
    def on_cluster(self) -> bool:
        """Whether Ray is a cluster's, and not of this machine alone."""
        return self.ray_address not in (None, "local")

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def tracking_place(self) -> str:
        """The same as sentences, pages and records may name it: without user, password and query."""
        return bare_address(self.tracking_uri)

    @property
    def model(self) -> str:
        """The registered model that this home trains and draws from."""
        return self.ganflow_model

    @property
    def history_model(self) -> str:
        """The registered model whose versions are the changes of that one's champion."""
        return f"{self.model}-history"

    @property
    def user(self) -> str:
        """Whoever changes the registry is noted under this name: `GANFLOW_USER`, or that of the login."""
        try:
            return self.ganflow_user or getpass.getuser()
        except (OSError, KeyError):  # a container may run as a number without a name
            return f"user {os.getuid()}"

    @property
    def mlflow_page(self) -> str | None:
        """Where a browser finds MLflow's pages; `ganflow up` sets it. None where there is no server."""
        page = bare_address(self.ganflow_mlflow_page or self.tracking_uri)
        return page.rstrip("/") if page.startswith(("http://", "https://")) else None


def require_writable_home(settings: Settings) -> None:
    """Make the state folder and prove that it can be written.

    Raises:
        InputError: the home folder cannot be made or written.
        ResourcesError: its disk is read-only or has no room.
    """
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.state_dir):
            pass
    except OSError as error:
        told = explained(error, settings.home)
        if told is not None:
            raise told from None
        raise InputError(
            f"the home folder {settings.home} cannot be written ({os.strerror(error.errno or 0)}): "
            "set GANFLOW_HOME to a folder of yours"
        ) from None


def require_room(settings: Settings) -> None:
    """Prove that the home's disk takes a little more: Prefect's database, too, lies there, and fails without a word.

    Raises:
        ResourcesError: it does not.
    """
    try:
        with tempfile.TemporaryFile(dir=settings.state_dir) as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        told = explained(error, settings.home)
        if told is None:
            raise
        raise told from None
