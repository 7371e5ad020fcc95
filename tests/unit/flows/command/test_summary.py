"""The lines that a verb prints for people."""

from types import SimpleNamespace

from flows.command.summary import dataset_lines, pipeline_lines, retraining_lines
from flows.retrain import Skipped
from gan.data.building.file_counts import FileCounts
from gan.data.origin import Origin
from gan.metrics.evaluation import Metric


def test_where_nothing_is_in_use_the_lines_say_who_decides():
    protocol = SimpleNamespace(
        num_generated=4, num_reference=4, reference_split="train", resize="tf1", network="n", precision="fp32"
    )
    evaluation = SimpleNamespace(protocol=protocol, metrics={"kid4": Metric(value=1.0)}, baseline={}, warnings=[])
    verdict = SimpleNamespace(reason="its coverage is too low")
    model = SimpleNamespace(version=3, alias="challenger", verdict=verdict, evaluation=evaluation, report="r.html")
    dataset = SimpleNamespace(
        md5="d", changed=True, num_train=4, num_test=1, classes=0, rejects=0, notes=[],
        report="i.html", push_error=None, origin=Origin(), kept=(), files=None,
    )  # fmt: skip
    lines = pipeline_lines(SimpleNamespace(dataset=dataset, model=model, release=None))
    assert lines[-3:] == [
        "model     version 3 is challenger: its coverage is too low",
        "release   none: there is no champion to draw it from, and version 3 waits for a person",
        "          next: ganflow promote 3 --force --reason '…', then ganflow generate",
    ]


def test_a_retraining_that_was_skipped_says_why_in_a_line():
    result = Skipped(skipped="all is as it was", run_id="1a2b", version=3, verdict="champion: better")
    assert retraining_lines(result) == ["skipped   all is as it was"]


def test_an_ingest_says_what_stands_of_the_images_and_since_when():
    told = Origin(licence="CC-BY-4.0", source_url="https://a.example", description="x" * 200 + "\x1b[2J")
    result = SimpleNamespace(
        md5="d", changed=True, num_train=4, num_test=1, classes=0, rejects=0, notes=[],
        report="i.html", push_error=None, origin=told, kept=("source_url",), files=None,
    )  # fmt: skip
    assert dataset_lines(result)[1:4] == [
        "          licence CC-BY-4.0",
        "          source url https://a.example (as said of the version before)",
        f"          description {'x' * 99}…",
    ]


def test_an_ingest_says_what_every_file_is():
    files = FileCounts(1234, 1000, {"documents": 3, "images that are left out": 201}, 30)
    result = SimpleNamespace(
        md5="d", changed=True, num_train=900, num_test=100, classes=0, rejects=30, notes=[],
        report="i.html", push_error=None, origin=Origin(), kept=(), files=files,
    )  # fmt: skip
    assert dataset_lines(result)[:2] == [
        "dataset   d (new version): 900 train + 100 test without labels, 30 rejected",
        "          1,234 files: 1,000 images, 204 companions (3 documents, 201 images that are left out), 30 rejected",
    ]
