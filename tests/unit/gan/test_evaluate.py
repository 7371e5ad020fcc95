"""Choosing references and labels, drawing in batches; what an Evaluator computes once and keeps."""

import numpy as np
import pytest
import torch

from gan import evaluate
from gan.config import DataConfig, EvaluationConfig
from gan.data.build import build_dataset
from gan.data.records import SourceImage
from gan.errors import DatasetError
from gan.evaluate import Evaluator, draw, metrics_of, paired_labels, reference_rows, summary
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol


def test_reference_rows_are_all_or_a_keyed_choice():
    assert reference_rows(EvaluationConfig(num_images=100), 7).tolist() == list(range(7))
    chosen = reference_rows(EvaluationConfig(num_images=20), 100)
    assert len(set(chosen.tolist())) == 20
    assert chosen.tolist() == sorted(chosen.tolist())
    assert 0 <= chosen.min() <= chosen.max() < 100
    assert chosen.tolist() == reference_rows(EvaluationConfig(num_images=20), 100).tolist()
    assert chosen.tolist() != reference_rows(EvaluationConfig(num_images=20, seed=1), 100).tolist()
    assert set(chosen.tolist()) < set(reference_rows(EvaluationConfig(num_images=30), 100).tolist())


def test_paired_labels_have_the_references_shares():
    labels = np.array([0, 2, 2, 1])
    assert paired_labels(labels, 4).tolist() == [0, 2, 2, 1]
    assert paired_labels(labels, 2).tolist() == [0, 2]
    assert np.bincount(paired_labels(labels, 400)).tolist() == [100, 100, 200]
    assert paired_labels(np.full(3, -1), 5).tolist() == [-1] * 5


def test_draw_keeps_the_order_and_the_batch_size():
    seen = []

    def program(rows):
        seen.append(len(rows))
        assert rows.dtype == torch.int64
        assert not torch.is_grad_enabled()
        return (rows[:, 0] * 10 + rows[:, 1]).to(torch.uint8)[:, None, None, None]

    found = list(draw(program, np.arange(7), np.arange(7) % 3, 3))
    assert seen == [3, 3, 1]
    assert np.concatenate(found).flatten().tolist() == [0, 11, 22, 30, 41, 52, 60]
    assert all(isinstance(batch, np.ndarray) and batch.dtype == np.uint8 for batch in found)
    seen.clear()
    list(draw(program, np.arange(300), np.zeros(300, dtype=np.int64)))
    assert seen == [256, 44]


def test_draw_is_lazy_and_keeps_large_seeds():
    seeds = []

    def program(rows):
        seeds.extend(rows[:, 0].tolist())
        return torch.zeros(len(rows), 1, 1, 1, dtype=torch.uint8)

    batches = draw(program, np.array([2**62 + 1, -(2**63), 0]), np.full(3, -1), 1)
    next(batches)
    assert seeds == [2**62 + 1]
    list(batches)
    assert seeds == [2**62 + 1, -(2**63), 0]


def test_summary_and_metrics_of():
    protocol = Protocol(
        num_generated=1000,
        num_reference=1000,
        reference_split="train",
        resize="tf1",
        network="n",
        network_sha256="s",
        precision="fp32",
        dataset_md5="d",
        seed=0,
    )
    metrics = {"fid1k": Metric(value=31.23456), "kid1k": Metric(value=0.0123, low=0.0101, high=0.0145)}
    evaluation = Evaluation(protocol=protocol, metrics=metrics)
    assert metrics_of(evaluation) == {"fid1k": 31.23456, "kid1k": 0.0123}
    assert summary(evaluation) == "fid1k 31.23, kid1k 0.0123 (0.0101 to 0.0145)"


class Noise:
    """A source with one part: itself."""

    name = "noise"
    kind = "folder"
    class_names = ("a", "b", "c")
    has_split = False
    notes = ()

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def parts(self):
        return [self]

    def identity(self):
        return f"noise {self.count}"

    def read(self):
        for index in range(self.count):
            pixels = np.random.default_rng(index).integers(0, 256, (4, 4, 1), dtype=np.uint8)
            yield SourceImage(str(index), index % 3, pixels)


class Extractor:
    """Stands for Inception: features are pixels, and what passes is counted."""

    network, sha256 = "pixels", "0" * 64
    passed: tuple[int, ...] = ()

    def __init__(self, weights, *, resize, precision, device, batch_size):
        pass

    def extract(self, batches, total=None, on_progress=None):
        images = np.concatenate(list(batches))
        assert len(images) == total
        on_progress(total)
        Extractor.passed += (total,)
        return images.reshape(total, -1).astype(np.float32)


def program(rows):
    Extractor.rows = rows
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (len(rows), 4, 4, 1), dtype=np.uint8))


@pytest.fixture
def evaluator(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "FeatureExtractor", Extractor)
    monkeypatch.setattr(Extractor, "passed", ())
    build_dataset(
        Noise(40),
        DataConfig(resolution=4, holdout_fraction=0.1),
        tmp_path / "data",
        work=tmp_path / "work",
        quarantine=tmp_path / "rejects.jsonl",
    )

    def make(md5="abc", on_progress=None, **changes):
        config = EvaluationConfig(**{"num_images": 20, "seed": 1000} | changes)
        places = {"data_dir": tmp_path / "data", "weights": tmp_path, "cache_dir": tmp_path / "cache"}
        return Evaluator(config, dataset_md5=md5, device=torch.device("cpu"), on_progress=on_progress, **places)

    return make


def test_the_real_side_is_computed_once(evaluator):
    progress = []
    first = evaluator(on_progress=lambda *at: progress.append(at))
    assert first.images_to_pass == 40
    result = first.evaluate(program)
    assert Extractor.passed == (20, 20)
    assert progress == [(20, "real images"), (40, "generated images")]
    again = evaluator()
    assert again.images_to_pass == 20
    assert again.evaluate(program) == result
    assert Extractor.passed == (20, 20, 20)
    # Another version, split, seed, precision or number needs features of its own.
    for changes in ({"md5": "def"}, {"seed": 7}, {"resize": "clean"}, {"precision": "bf16"}, {"num_images": 10}):
        other = evaluator(**changes)
        assert other.images_to_pass == 2 * other.config.num_images, changes


def test_the_protocol_says_what_was_done(evaluator):
    found = evaluator(num_images=50)
    protocol = found.evaluate(program).protocol
    assert (protocol.num_generated, protocol.num_reference) == (50, len(found.data.labels))
    assert (protocol.network, protocol.network_sha256) == ("pixels", "0" * 64)
    assert (protocol.dataset_md5, protocol.seed, protocol.reference_split) == ("abc", 1000, "train")
    seeds, labels = Extractor.rows.T.tolist()
    assert seeds == list(range(1000, 1050))
    assert labels == np.resize(found.data.labels, 50).tolist()


def test_features_of_the_chosen_rows_are_cached_and_no_half_file_stays(evaluator, tmp_path):
    found = evaluator(batch_size=7)
    found.evaluate(program)
    (path,) = (tmp_path / "cache" / "features" / "abc").iterdir()
    assert path.suffix == ".npy"
    assert not path.name.startswith(".")
    np.testing.assert_array_equal(np.load(path), found.data.images[found.rows].reshape(20, -1))


def test_a_small_split_is_refused(evaluator, tmp_path):
    evaluator(reference_split="test")  # decodes it
    path = tmp_path / "cache" / "resident" / "abc"
    for name in ("test-images.npy", "test-labels.npy"):
        np.save(path / name, np.load(path / name)[:3])
    with pytest.raises(DatasetError, match=r"the split test has 3 images but an evaluation needs 4: add images"):
        evaluator(reference_split="test")
