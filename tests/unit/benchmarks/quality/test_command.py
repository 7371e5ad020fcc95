"""The command line: harmless without arguments, plain about wrong ones."""

import runpy
import sys
from pathlib import Path

import pytest
from quality.command import main

PROGRAM = Path(__file__).parents[4] / "benchmarks" / "quality.py"


def test_without_arguments_it_says_what_it_would_do(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(PROGRAM)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "fashion-mnist: 12 cells, 60 minutes of training in all" in printed
    assert "small-data: 6 cells, 780 thousand images of training in all" in printed
    assert "usage: quality.py" in printed


def test_a_plan_runs_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["cifar10", "--seconds", "60", "120", "--seeds", "1", "2", "--plan", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("cifar10: 4 cells, 6 minutes of training in all, then 50,000 images")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "train.flap=true"], "unknown key «train.flap»"),
        (["--variants", "theirs"], "no variant «theirs»"),
        (["--images", "3"], "--images is 3, but scores need at least 4"),
        (["--prepare"], "fashion-mnist is neither at"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("GANFLOW_TEST_DATA", raising=False)
    assert main(["fashion-mnist", "--out", str(tmp_path), *arguments]) == 2
    assert sentence in capsys.readouterr().err
