"""The verbs, their options, and wrong input that is refused before any server starts."""

import json

import pytest
import typer
from typer.testing import CliRunner

from flows.command import entry
from gan.configuration.config import Config
from gan.configuration.presets import PRESETS

COMMON = {"--preset", "-p", "--set", "--json", "--help"}
MEASURE = {"--n", "-n", "--split", "--resize", "--precision", "--network"}
ASKED = {
    *("--classes-from", "--split-from", "--train", "--test", "--exclude", "--label-column", "--path-column"),
}
VERBS = {
    "run": COMMON
    | {"--source", "-s", "--workers", "-w", "--source-kind", "--labels", "--source-secret"}
    | {"--license", "--source-url", "--credit", "--description"}
    | ASKED,
    "ingest": COMMON
    | {"--source-kind", "--labels", "--source-secret", "--max-reject-share", "--dry-run", "--report"}
    | {"--near-duplicates", "--drop-near-duplicates"}
    | {"--license", "--source-url", "--credit", "--description"}
    | ASKED,
    "dataset": {"--help"},
    "train": COMMON | {"--workers", "-w", "--resume", "--warm-start", "--dry-run", "--max-minutes"},
    "evaluate": COMMON | MEASURE | {"--data", "--usefulness"},
    "compare": MEASURE | {"--holdout", "--split-a", "--split-b", "--report", "--json", "--help"},
    "register": COMMON,
    "retrain": COMMON | {"--workers", "-w", "--warm-start", "--skip-unchanged", "--trials", "--max-minutes"},
    "promote": {"--force", "--reason", "--json", "--help"},
    "rollback": {"--to", "--reason", "--json", "--help"},
    "history": {"--limit", "-n", "--json", "--help"},
    "releases": {"--limit", "-n", "--json", "--help"},
    "recall": {"--reason", "--json", "--help"},
    "generate": COMMON
    | {"--model", "-m", "--n", "-n", "--name", "--seed", "--balance", "--fill", "--format", "--shard-images"}
    | {"--truncation", "--keep-last", "--workers", "-w", "--sign", "--require-license", "--push-to-hub", "--public"},
    "sample": {"--output", "-o", "--label", "-l", "--n", "-n", "--seed", "--model", "-m", "--json", "--help"}
    | {"--truncation"},
    "verify": {"--key", "--regenerate", "--json", "--help"},
    "lineage": {"--json", "--help"},
    "presets": {"--keys", "--json", "--help"},
    "reproduce": {"--json", "--help"},
    "doctor": {"--json", "--help"},
    "tune": COMMON | {"--search", "--trials", "--kimg", "--max-trials-at-once"},
    "prune": {"--dry-run", "--older-than", "--what", "--yes", "-y", "--json", "--help"},
    "up": {"--prefect-port", "--mlflow-port", "--host", "--no-auth", "--help"},
}


def test_the_verbs_and_their_options_are_these():
    command = typer.main.get_command(entry.app)
    found = {}
    for name, verb in command.commands.items():
        parameters = [parameter for parameter in verb.params if parameter.param_type_name == "option"]
        found[name] = {option for parameter in parameters for option in parameter.opts} | {"--help"}
    assert found == VERBS


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_lists_every_option_with_a_sentence(verb):
    result = CliRunner().invoke(entry.app, [verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    for option in VERBS[verb]:
        assert option in result.output, option
    command = typer.main.get_command(entry.app).commands[verb]
    assert command.help
    for parameter in command.params:
        if parameter.name != "help":
            assert parameter.help, parameter.name


def test_no_verb_shows_them_all():
    result = CliRunner().invoke(entry.app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    assert all(verb in result.output for verb in VERBS)


CONFIGURED = [
    ("run",),
    ("ingest",),
    ("train",),
    ("evaluate",),
    ("register", "abc"),
    ("retrain",),
    ("tune",),
    ("generate",),
]


@pytest.mark.parametrize("verb", CONFIGURED, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--preset", "digit"), f"ganflow: unknown preset «digit»: choose one of {', '.join(sorted(PRESETS))}\n"),
        (
            ("--set", "train.kimg=5"),
            "ganflow: --set train.kimg=5: unknown key «train.kimg» (known keys: `ganflow presets --keys`)\n",
        ),
        (
            ("--set", "train.batch_size=1"),
            "ganflow: train.batch_size = 1: input should be greater than or equal to 2\n",
        ),
    ],
)
def test_wrong_configuration_is_one_sentence_and_leaves_nothing(ganflow, tmp_path, verb, arguments, sentence):
    assert ganflow(*verb, *arguments, "--json") == (2, "", sentence)
    assert not (tmp_path / "home").exists()


def test_a_source_that_is_not_there_is_refused(ganflow, tmp_path):
    for verb in (("ingest", "nowhere"), ("run", "--source", "nowhere")):
        status, out, err = ganflow(*verb)
        assert (status, out) == (2, "")
        assert err.startswith("ganflow: ")
        assert "nowhere" in err
        assert err.count("\n") == 1
    assert not (tmp_path / "home" / "mlflow.db").exists()


def test_a_home_that_cannot_be_written_is_refused(ganflow, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "file" / "home"))
    for verb in ("train", "sample"):
        status, out, err = ganflow(verb)
        assert (status, out) == (2, "")
        assert "cannot be written (Not a directory): set GANFLOW_HOME" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "--label", "three"),
        ("sample", "-n", "0"),
        ("sample", "-n", "10001"),
        ("sample", "--seed", "-1"),
        ("sample", "--seed", str(2**63)),
        ("generate", "--seed", str(2**62 + 1)),
        ("sample", "--truncation", "0"),
        ("sample", "--truncation", "nan"),
        ("generate", "--truncation", "1.5"),
        ("generate", "-n", "0"),
        ("generate", "--seed", "-1"),
        ("generate", "--seed", "x"),
        ("train", "--workers", "0"),
        ("compare", "a"),
        ("compare", "a", "b", "--resize", "lanczos"),
        ("compare", "a", "b", "--precision", "int8"),
        ("compare", "a", "b", "--n", "3"),
        ("train", "--worker", "2"),
        ("trian",),
        ("register",),
        ("up", "--prefect-port", "x"),
        ("prune", "--what", "models"),
        ("prune", "--older-than", "-1"),
    ],
)
def test_wrong_options_are_refused(ganflow, tmp_path, arguments):
    status, out, err = ganflow(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: " in err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--public",), "give both"),
        (("--push-to-hub", "digits"), "name it as OWNER/NAME"),
        (("--push-to-hub", "anna/digits"), "needs a token"),
    ],
)
def test_a_push_that_cannot_be_tried_is_refused_before_anything_starts(ganflow, tmp_path, monkeypatch, arguments, said):
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-login"))
    status, out, err = ganflow("generate", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert not (tmp_path / "home").exists()


def test_presets_are_listed(ganflow, tmp_path):
    status, out, _ = ganflow("presets")
    assert status == 0
    assert [line.split()[0] for line in out.split("\n\n")[0].splitlines()] == ["preset", *PRESETS]
    status, out, _ = ganflow("presets", "--json")
    assert set(json.loads(out)) == set(PRESETS)
    assert not (tmp_path / "home").exists()


def test_one_preset_is_shown_wholly(ganflow):
    status, out, _ = ganflow("presets", "wgan-gp-32")
    assert status == 0
    assert "\nloss.gradient_penalty = 10.0 " in out
    status, out, _ = ganflow("presets", "wgan-gp-32", "--json")
    tree = json.loads(out)
    assert (tree["preset"], tree["resolution"]) == ("wgan-gp-32", 32)
    changed = {change["key"]: change["value"] for change in tree["changes"]}
    assert changed["train.generator_every"] == 5
    assert "train.seed" not in changed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("digit",), "ganflow: unknown preset «digit»: choose one of "),
        (("digits", "--keys"), "ganflow: --keys lists the keys of all presets: leave it or «digits» out\n"),
    ],
)
def test_a_preset_that_cannot_be_shown_is_refused(ganflow, arguments, sentence):
    status, out, err = ganflow("presets", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1


def test_keys_are_listed(ganflow):
    status, out, _ = ganflow("presets", "--keys", "--json")
    assert status == 0
    assert json.loads(out) == dict(Config.keys_with_meaning())
    _, out, _ = ganflow("presets", "--keys")
    assert [line.split()[0] for line in out.splitlines()] == [key for key, _ in Config.keys_with_meaning()]
