"""No code of ours runs what a file, a registry or a source brings: a search through every module."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gan

ROOT = Path(gan.__file__).parent.parent
FILES = sorted(path for package in ("flows", "tasks", "gan") for path in (ROOT / package).rglob("*.py"))
NEVER = {
    "eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load",
    "torch.hub.load", "joblib.load", "mlflow.pytorch.load_model",
}  # fmt: skip
MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
# Jobs for worker processes of ours, over pipes that nobody else holds.
PIPES = {"gan/device/child.py", "gan/data/sources/folder.py"}
# What reads code from files stands in these modules alone, after the checks that they describe.
ALONE = {
    "torch.export.load": {"gan/generation/program_file.py"},
    "torch.jit.load": {"gan/metrics/inception.py", "gan/metrics/network.py"},
    "mlflow.pyfunc.load_model": {"tasks/tracking/consumer.py"},
}
WITH = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}


def faults(source: str, name: str) -> Iterator[str]:
    """Yield what a module calls or imports that it may not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (each for each in names if each.partition(".")[0] in MODULES and name not in PIPES)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        if called in NEVER or given.get("shell"):
            yield called
        if called in ALONE and name not in ALONE[called]:
            yield called
        if called in WITH and given.get(WITH[called][0]) is not WITH[called][1]:
            yield called


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_runs_what_it_reads(path):
    assert list(faults(path.read_text("utf-8"), str(path.relative_to(ROOT)))) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "from pickle import loads",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "np.load(file, allow_pickle=True)",
        "torch.export.load(file)",
        "subprocess.run(line, shell=True)",
        "mlflow.pytorch.load_model(uri)",
    ],
)
def test_the_search_finds(line):
    assert list(faults(line, "tasks/tracking/registry.py"))


def test_every_module_can_be_imported():
    for path in FILES:
        if path.name not in {"__main__.py", "pool_worker.py", "draw_worker.py"}:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
