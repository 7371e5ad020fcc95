"""A chain in words, on a terminal."""

from tasks.lineage.lines import lineage_lines, links
from tasks.lineage.records import Dataset, Evaluated, Image, Lineage, ModelVersion, Release, Training

CHAIN = Lineage(
    asked="r#1",
    kind="image",
    name="r#1",
    datasets=(
        Dataset(
            md5="d1",
            current=True,
            source="photos",
            licence="CC0-1.0",
            num_train=3,
            num_test=1,
            first_made="2026-01-02T03:04Z",
            ingest_run="i1",
            again="ganflow dataset checkout d1",
        ),
        Dataset(md5="d0"),
    ),
    trainings=(
        Training(run_id="t1", dataset_md5="d1", status="FINISHED", preset="digits", seed="7", began_with=1, code="c"),
        Training(run_id="t0", dataset_md5="d0"),
    ),
    evaluations=(
        Evaluated(
            run_id="e1", training_run="t1", dataset_md5="d1", status="FINISHED", decided=True, scores={"kid1k": 0.25}
        ),
    ),
    versions=(
        ModelVersion(version=1, run_id="t0", model="m", registered=False),
        ModelVersion(version=2, run_id="t1", model="m", aliases=("champion",), verdict="champion: better"),
    ),
    releases=(
        Release(
            name="r", md5="m1", model="m", model_version=2, training_run="t1", dataset_md5="d1", num_images=5,
            first_seed=9, state="withdrawn", here=True, again="ganflow generate",
        ),
        Release(name="old", md5=None, model=None, model_version=None, training_run=None, dataset_md5="d0"),
    ),
    images=(
        Image(
            release="r", row=1, file="train-0", row_of_file=1, seed=10, label=0, class_name="a\x1b[2J", sha256="f",
            look="ganflow sample",
        ),
    ),
)  # fmt: skip


def test_each_link_stands_below_what_it_was_made_from():
    assert [(link.depth, link.name) for link in links(CHAIN)] == [
        (0, "d1"), (1, "t1"), (2, "e1"), (2, "2"), (3, "r"), (4, "r#1"), (0, "d0"), (1, "t0"), (2, "1"), (1, "old"),
    ]  # fmt: skip
    assert [link.name for link in links(CHAIN) if link.asked] == ["r#1"]


def test_what_is_recorded_is_said_and_what_is_not_is_unknown():
    lines = [line.strip() for line in lineage_lines(CHAIN)]
    for line in (
        "dataset d1: source photos, 3 train + 1 test images, the current one",
        "licence CC0-1.0; first made 2026-01-02T03:04Z, ingest run i1",
        "again: ganflow dataset checkout d1",
        "training run t1: finished; preset digits, seed 7, unknown kimg, workers unknown",
        "code c, git revision unknown",
        "began with the networks of version 1",
        "evaluation run e1: finished; against dataset d1: kid1k 0.25; a version was registered with it",
        "m version 2: champion; verdict champion: better",
        "release r: 5 images, seeds from 9; state withdrawn",
        "again: ganflow generate",
        "to see it: ganflow sample",
        "dataset d0: source unknown, number of images unknown",
        "training run t0: it is in MLflow no longer, so nothing more is known of it",
        "m version 1: it is not in the registry, or another one is called so by now",
        "release old: unknown images, of version unknown, seeds from unknown",
        "md5 unknown, not here, run unknown",
    ):
        assert line in lines


def test_what_was_asked_for_has_an_arrow():
    assert [line for line in lineage_lines(CHAIN) if line.startswith("→")] == [
        "→         image r#1: seed 10, label 0 = a\x1b[2J; row 1 of train-0"
    ]
    run = CHAIN.model_copy(update={"kind": "run", "name": "t1"})
    assert next(line.split(":")[0] for line in lineage_lines(run) if line.startswith("→")) == "→   training run t1"
