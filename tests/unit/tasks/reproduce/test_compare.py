"""Two generators held against each other: bits, distances, scores, machines."""

import hashlib

import pytest
import torch

from gan.errors import CheckpointError
from gan.metrics.evaluation import Metric
from gan.training.checkpoint import save_checkpoint
from tasks.reproduce.compare import compare_machines, compare_scores, compare_weights, weights_sha256


@pytest.fixture
def checkpoint(tmp_path, make_header):
    def of(name, **weights):
        folder = tmp_path / name
        folder.mkdir()
        save_checkpoint(folder, make_header(), {"G_ema": weights} if weights else {})
        return folder

    return of


def test_the_digest_is_that_of_names_types_shapes_and_bytes():
    weights = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor(3, dtype=torch.int64)}
    text = b"a torch.int64 ()\n" + (3).to_bytes(8, "little") + b"b torch.float32 (2,)\n"
    text += bytes.fromhex("0000803f00000040")
    assert weights_sha256(weights) == hashlib.sha256(text).hexdigest()
    assert weights_sha256({"e": torch.empty(0, 3)}) == hashlib.sha256(b"e torch.float32 (0, 3)\n").hexdigest()
    channels_last = torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last)
    assert weights_sha256({"w": channels_last}) == weights_sha256({"w": channels_last.contiguous()})


def test_equal_weights_are_equal_to_the_bit(checkpoint):
    one = checkpoint("one", w=torch.tensor([3.0, 4.0]), n=torch.tensor(2))
    same = checkpoint("same", n=torch.tensor(2), w=torch.tensor([3.0, 4.0]))
    found = compare_weights(one, same)
    assert found.equal
    assert found.difference == 0.0


def test_the_difference_is_a_share_of_the_norm(checkpoint):
    then, now = checkpoint("then", w=torch.tensor([3.0, 4.0])), checkpoint("now", w=torch.tensor([3.0, 4.5]))
    found = compare_weights(then, now)
    assert not found.equal
    assert found.difference == pytest.approx(0.1)
    # The very last bit of a weight makes another network.
    last = checkpoint("last", w=torch.nextafter(torch.tensor([3.0, 4.0]), torch.tensor(9.0)))
    assert not compare_weights(then, last).equal


def test_other_shapes_have_no_difference_in_numbers(checkpoint):
    found = compare_weights(checkpoint("then", w=torch.zeros(2)), checkpoint("now", w=torch.zeros(3)))
    assert (found.equal, found.difference) == (False, None)


def test_a_checkpoint_without_the_network_is_refused(checkpoint):
    with pytest.raises(CheckpointError, match="has no G_ema"):
        compare_weights(checkpoint("then"), checkpoint("now", w=torch.zeros(1)))


def test_scores_are_compared_by_key(evaluation):
    assert compare_scores(evaluation, evaluation) == (
        {"fid1k": (31.23456, 31.23456), "kid1k": (0.0123, 0.0123)}, [],
    )  # fmt: skip
    other = evaluation.model_copy(update={"metrics": {**evaluation.metrics, "kid1k": Metric(value=0.5)}})
    scores, differs = compare_scores(evaluation, other)
    assert scores["kid1k"] == (0.0123, 0.5)
    assert differs == ["kid1k was 0.0123 and is 0.5"]


def test_scores_of_other_protocols_are_not_compared(evaluation):
    protocol = evaluation.protocol.model_copy(update={"code_version": 2})
    scores, (why,) = compare_scores(evaluation, evaluation.model_copy(update={"protocol": protocol}))
    assert scores == {}
    assert "different protocols (code_version" in why


def test_what_computed_the_one_and_not_the_other_is_said(make_header):
    then = make_header(cur_nimg=2048, machine={"torch": "2.13", "device": "A, AVX512", "workers": 1, "threads": 2})
    assert compare_machines(then, then) == []
    now = make_header(cur_nimg=1024, machine={"torch": "2.13", "device": "B, AVX2", "workers": 1})
    assert compare_machines(then, now) == [
        "device was A, AVX512 and is B, AVX2",
        "threads was 2 and is not recorded",
        "the checkpoint was taken at 2,048 images and is taken at 1,024",
    ]
