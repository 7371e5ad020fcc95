"""How tests are shared out among processes, as by `pytest -n 3`, and the command without a process of its own."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tasks.runtime.settings import THREADS_WAIT

# A shell's background job ignores Ctrl-C, and what nohup starts a closed terminal; so would every command that a test
# starts and interrupts.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)
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

    def remove_node(self, node: WorkerController) -> str | None:
        """Hand out what a process that ended had left to do; returns the test that it was at.

        pytest-xdist 3.8 hands out its finished files as well. Who is given one of them waits for ever: a process keeps
        back the last test that it has until it knows the next, or that there is none.
        """
        left = {file: tests for file, tests in self.assigned_work.pop(node).items() if not all(tests.values())}
        if not left:
            return None
        file, tests = next(iter(left.items()))
        ended_by = next(test for test, done in tests.items() if not done)
        tests[ended_by] = True  # it has failed, and would end the next process, too
        if all(tests.values()):
            del left[file]
        self.workqueue.update(left)
        for other in self.assigned_work:
            self._reschedule(other)
        return ended_by

    def _reschedule(self, node: WorkerController) -> None:
        if node.shutting_down or node not in self.registered_collections:  # one that is new still collects
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()


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
