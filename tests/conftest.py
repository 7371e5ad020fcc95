"""How tests are shared out among processes, as by `pytest -n 2`, and the command without a process of its own."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tasks.runtime.settings import THREADS_WAIT

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every command that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Read when MLflow is imported, which a test may do before ganflow, for commands that run in this process.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# With telemetry on, the first start of a Prefect server finds its new database locked.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes
    os.environ.update(THREADS_WAIT)


TOGETHER = ("tests/e2e/", "tests/integration/up/")


class FilesAndFlows(LoadScopeScheduling):
    """A file's tests stay in one process, and so do folders whose files share what the first one started."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next(filter(file.startswith, TOGETHER), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndFlows:
    """Share out in the order of collection: whole flows, which take longest, come first."""
    config.option.loadscopereorder = False
    return FilesAndFlows(config, log)


@pytest.fixture
def ganflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process with a home of its own; returns exit status, standard output and error."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        from flows.command import entry

        # The command moves file descriptors, so it gets real ones.
        paths = [tmp_path / "stdout", tmp_path / "stderr"]
        saved = [os.dup(1), os.dup(2)]
        with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
            for number, (name, path) in enumerate(zip(("stdout", "stderr"), paths, strict=True), 1):
                os.dup2(stack.enter_context(path.open("wb")).fileno(), number)
                patch.setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
            patch.setattr(sys, "argv", ["ganflow", *arguments])
            try:
                with pytest.raises(SystemExit) as caught:
                    entry.main()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                for number, descriptor in enumerate(saved, 1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
        return caught.value.code or 0, *(path.read_text("utf-8") for path in paths)

    return run
