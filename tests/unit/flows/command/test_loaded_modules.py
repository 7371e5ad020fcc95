"""What a verb loads before it works: help and wrong input are answered without the libraries that take seconds."""

import subprocess
import sys

import pytest

from flows.command.datasets import app as datasets
from flows.command.main import app

LARGE = {"torch", "mlflow", "prefect", "dvc", "ray", "pyarrow", "numpy"}
FOR_HELP = LARGE | {"pydantic", "pydantic_settings", "rich"}
PROGRAM = """
import sys
from flows.command.entry import main
sys.argv = ["ganflow", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(*sys.modules, end.code or 0, sep="\\n", file=sys.stderr)
"""


def loaded(program: str, *arguments: str) -> tuple[set[str], str]:
    """Modules that the program has loaded, and its last line."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    return set(lines), lines[-1]


def verbs():
    yield from ([each.callback.__name__] for each in app.registered_commands)
    yield ["dataset"]
    yield from (["dataset", each.callback.__name__] for each in datasets.registered_commands)


@pytest.mark.parametrize("verb", [[], *verbs()], ids=" ".join)
def test_help_loads_typer_alone(verb):
    modules, status = loaded(PROGRAM, *verb, "--help")
    assert status == "0"
    assert not modules & FOR_HELP
    assert "typer" in modules


@pytest.mark.parametrize(
    "arguments",
    [[], ["trian"], ["train", "--worker", "2"], ["dataset", "logs"], ["dataset", "log", "-x"]],
    ids=" ".join,
)
def test_a_wrong_option_is_answered_by_typer_alone(arguments):
    modules, status = loaded(PROGRAM, *arguments)
    assert status == "2"
    assert not modules & FOR_HELP


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["presets"], "0"),
        (["presets", "digits"], "0"),
        (["presets", "--keys"], "0"),
        (["train", "--preset", "digit"], "2"),
        (["run", "--set", "train.epochs=3"], "2"),
        (["generate", "--set", "train.batch_size=1"], "2"),
        (["generate", "--n", "5", "--fill", "3"], "2"),
        (["generate", "--format", "parquet", "--set", "release.balance=most"], "2"),
        (["ingest", "/nowhere"], "2"),
        (["ingest", "digits", "--source-kind", "photos"], "2"),
        (["ingest", "digits", "--license", "CC BY 4.0"], "2"),
        (["run", "--license", "CC BY 4.0"], "2"),
    ],
    ids=lambda value: " ".join(value),
)
def test_configurations_and_sources_are_judged_without_large_libraries(arguments, status, monkeypatch, tmp_path):
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))
    modules, ended = loaded(PROGRAM, *arguments)
    assert ended == status
    assert not modules & LARGE
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "module",
    [
        *("gan.configuration.config", "gan.configuration.presets", "gan.errors", "gan.networks.cost"),
        *("gan.training.header", "flows.configure"),
    ],
)
def test_a_configuration_needs_no_torch(module):
    modules, _ = loaded(f"import sys, {module}; print(*sys.modules, sep='\\n', file=sys.stderr)")
    assert not modules & LARGE


def test_the_words_of_a_configuration_need_nothing():
    modules, _ = loaded(
        "import sys, gan.configuration.vocabulary, flows.command.entry; print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    assert not modules & FOR_HELP
