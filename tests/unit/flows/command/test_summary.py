"""The lines that a verb prints for people."""

from types import SimpleNamespace

from flows.command.summary import pipeline_lines, retraining_lines
from flows.retrain import Skipped
from gan.metrics.evaluation import Metric


def test_where_nothing_is_in_use_the_lines_say_who_decides():
    protocol = SimpleNamespace(
        num_generated=4, num_reference=4, reference_split="train", resize="tf1", network="n", precision="fp32"
    )
    evaluation = SimpleNamespace(protocol=protocol, metrics={"kid4": Metric(value=1.0)}, baseline={}, warnings=[])
    verdict = SimpleNamespace(reason="its coverage is too low")
    model = SimpleNamespace(version=3, alias="challenger", verdict=verdict, evaluation=evaluation, report="r.html")
    dataset = SimpleNamespace(
        md5="d", changed=True, num_train=4, num_test=1, classes=0, rejects=0, notes=[], report="i.html", push_error=None
    )
    lines = pipeline_lines(SimpleNamespace(dataset=dataset, model=model, release=None))
    assert lines[-3:] == [
        "model     version 3 is challenger: its coverage is too low",
        "release   none: there is no champion to draw it from, and version 3 waits for a person",
        "          next: ganflow promote 3 --force --reason '…', then ganflow generate",
    ]


def test_a_retraining_that_was_skipped_says_why_in_a_line():
    result = Skipped(skipped="all is as it was", run_id="1a2b", version=3, verdict="champion: better")
    assert retraining_lines(result) == ["skipped   all is as it was"]
