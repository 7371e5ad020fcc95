"""What names of arrays say."""

import pytest

from gan.data.sources.stacks.names import take_apart


@pytest.mark.parametrize(
    ("path", "role", "split", "rest"),
    [
        ("train_images.npy", "images", "train", ()),
        ("pathmnist.npz/val_labels.npy", "labels", "val", ("pathmnist",)),
        ("x_train.npy", "images", "train", ()),
        ("mnist.npz/y_test.npy", "labels", "test", ("mnist",)),
        ("X.npy", "images", "", ()),
        ("trainX.npy", "images", "train", ()),
        ("X-test.npy", "images", "test", ()),
        ("train.npz/images.npy", "images", "train", ()),
        ("mnist_test.npz/arr_0.npy", "", "test", ("mnist",)),
        ("train/images.npy", "images", "train", ()),
        ("images/train.npy", "images", "train", ()),
        ("train-00000-of-00003.npz/images.npy", "images", "train", ()),
        ("t10k_images.npy", "images", "test", ()),
        ("image_labels.npy", "labels", "", ()),
        ("cat_images.npy", "images", "", ("cat",)),
        ("a.npz/class_names.npy", "names", "", ("a",)),
        ("arr_0.npy", "", "", ()),
        ("latents_values.npy", "", "", ()),
        ("tested.npy", "", "", ()),
    ],
)
def test_names_say_role_and_split(path, role, split, rest):
    found = take_apart(path)
    assert (found.role, found.split, found.rest) == (role, split, rest)
    assert found.parent == path.rpartition("/")[0]
