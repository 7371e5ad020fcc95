"""What a worker hands back."""

import hashlib
import json
import pickle

import numpy as np
import torch

from gan.release.blocks import Artist
from gan.release.recipe import Block, Recipe
from tasks.generate.packed import packed


def test_files_come_with_their_digests_and_cross_processes():
    recipe = Recipe(10, 0, 4, ("a", "b"), 1, format="imagefolder")

    def program(rows):
        return torch.zeros(len(rows), 4, 4, 1, dtype=torch.uint8)

    with Artist(program, recipe, threads=1) as artist:
        found = packed(artist.draw(Block.fresh(0, 0, np.arange(10) % 2)), recipe)
    again = pickle.loads(pickle.dumps(found))
    assert [path for path, _, _ in again.files][:2] == [f"train/a/{0:019d}.png", f"train/b/{1:019d}.png"]
    assert all(hashlib.sha256(data).hexdigest() == sha256 for _, data, sha256 in again.files)
    assert again.lines.count(b"\n") == 10
    assert again.digests == [hashlib.sha256(bytes(16)).digest()] * 10
    assert json.loads(json.dumps([again.asked, again.rejected])) == [{"0": 5, "1": 5}, {}]
