"""A release in a folder: drawn, marked and signed, as small as it may be."""

import hashlib
import json
from functools import cache

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gan.configuration.config import NetworkConfig
from gan.data.pixels.png import encode_pngs
from gan.data.store.shards import dataset_schema, row_group, shard_name, write_shard
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from gan.release.marks import Mark, parquet_metadata, png_chunks
from tasks.generate.signature import SIGNATURE, SigningKey

NAMES = ("zero", "one", "two")
MARK = Mark("gan-generator", 3, "0123456789abcdef" * 2, "v3-001")
RUN = "r77"
FIRST_SEED = 1000
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))


@cache
def program(seed=0):
    """A generator of 8x8 grey images of three classes."""
    torch.manual_seed(seed)
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
    G = build_generator(network, channels=1, num_classes=len(NAMES))
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return SeededGenerator(G)


def drawn(count=25, batch_size=8, generator=None):
    """Images, labels and seeds."""
    seeds, labels = np.arange(FIRST_SEED, FIRST_SEED + count), np.arange(count) % len(NAMES)
    generator = generator or program()
    with torch.no_grad():
        parts = [generator(part).numpy() for part in torch.from_numpy(np.stack([seeds, labels], 1)).split(batch_size)]
    return np.concatenate(parts), labels, seeds


def shard(images, labels, seeds, folder, *, index=0, count=1, chunks=None, digests=None):
    """Write a shard of rows; `chunks` are those of each image."""
    schema = dataset_schema(NAMES, ["seed"])
    schema = schema.with_metadata({**schema.metadata, **parquet_metadata(MARK)})
    chunks = [png_chunks(MARK)] * len(images) if chunks is None else chunks
    pngs = [encode_pngs(image[None], own)[0] for image, own in zip(images, chunks, strict=True)]
    digests = digests or [hashlib.sha256(image.tobytes()).digest() for image in images]
    table = row_group(pngs, digests, {"label": labels, "seed": seeds}, schema)
    write_shard(folder / shard_name("train", index, count), [table], schema)


def seal(folder, *, key=KEY, **changes):
    """Write the manifest of what lies in a folder, and sign it."""
    labels = [index % len(NAMES) for index in range(25)]
    for file in ("manifest.json", SIGNATURE):
        (folder / file).unlink(missing_ok=True)
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "format_version": 1,
        "name": MARK.release,
        "model": {"name": MARK.model, "version": MARK.version, "run_id": RUN},
        "dataset_md5": MARK.dataset_md5,
        "generation": {"num_images": 25, "first_seed": FIRST_SEED, "batch_size": 8, "precision": "fp32"},
        "image": {"height": 8, "width": 8, "channels": 1},
        "counts": {name: labels.count(label) for label, name in enumerate(NAMES)},
        "marks": MARK.stated(),
        "files": files,
    }
    if key:
        manifest["signed_by"] = key.fingerprint
    content = (json.dumps(manifest | changes, indent=2) + "\n").encode()
    (folder / "manifest.json").write_bytes(content)
    if key:
        (folder / SIGNATURE).write_text(key.sign(content).to_json())
    return folder


def release(folder, *, key=KEY, marked=True, generator=None):
    """Make a release of 25 images in two shards, with a card."""
    folder.mkdir(parents=True)
    images, labels, seeds = drawn(generator=generator)
    for index, rows in enumerate((slice(0, 12), slice(12, 25))):
        own = None if marked else [b""] * len(images[rows])
        shard(images[rows], labels[rows], seeds[rows], folder, index=index, count=2, chunks=own)
    (folder / "README.md").write_text("# card\n")
    return seal(folder, key=key, **({} if marked else {"marks": None}))
