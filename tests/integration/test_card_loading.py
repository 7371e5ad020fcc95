"""The code on a release's card, typed in the folder of a release of its format, reads every image."""

import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from gan.data.pixels.png import encode_pngs
from gan.data.store.shards import write_shards
from tasks.generate.card.loading import IMAGEFOLDER, NPZ, PARQUET, WEBDATASET, loading_section

pytestmark = pytest.mark.integration
CLASSES = ("cat", "dog")
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
LABELS = np.array([0, 1] * 3, dtype=np.int64)
SEEDS = np.arange(100, 106, dtype=np.int64)
# In a process of its own, as a user has it: `datasets` reads its environment when it is imported.
LOOKED_AT = {
    PARQUET: "rows.num_rows, rows[1]['image'].size, len(frame), counts.fetchall()",
    WEBDATASET: "len(list(rows)), [(image.size, label) for image, label in pairs][1]",
    IMAGEFOLDER: "rows.num_rows, rows[1]['image'].size, len(frame), counts.fetchall()",
    NPZ: "images.shape, labels.tolist(), seeds.tolist()",
}
FOUND = {
    PARQUET: "6 (16, 16) 6 [(0, 3), (1, 3)]",
    WEBDATASET: "6 ((16, 16), 1)",
    IMAGEFOLDER: "6 (16, 16) 6 [(0, 3), (1, 3)]",
    NPZ: "(6, 16, 16, 3) [0, 1, 0, 1, 0, 1] [100, 101, 102, 103, 104, 105]",
}


def write(folder, format):
    pngs = encode_pngs(IMAGES)
    if format == PARQUET:
        write_shards(folder, "train", IMAGES, LABELS, class_names=CLASSES, extra={"seed": SEEDS})
    elif format == NPZ:
        np.savez(folder / "train-00000-of-00001.npz", images=IMAGES, labels=LABELS, seeds=SEEDS)
    elif format == WEBDATASET:
        with tarfile.open(folder / "train-00000-of-00001.tar", "w") as tar:
            for png, label, seed in zip(pngs, LABELS.tolist(), SEEDS.tolist(), strict=True):
                facts = json.dumps({"seed": seed, "label": label}).encode()
                for suffix, content in (("png", png), ("cls", str(label).encode()), ("json", facts)):
                    member = tarfile.TarInfo(f"{seed:019d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    else:
        lines = ["file_name,label,class,seed"]
        for png, label, seed in zip(pngs, LABELS.tolist(), SEEDS.tolist(), strict=True):
            path = folder / "train" / CLASSES[label] / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)
            lines.append(f"{CLASSES[label]}/{seed}.png,{label},{CLASSES[label]},{seed}")
        (folder / "train" / "metadata.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("format", list(FOUND))
def test_the_code_on_the_card_reads_the_files(tmp_path, monkeypatch, format):
    if format == WEBDATASET:
        pytest.importorskip("webdataset")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "release"
    folder.mkdir()
    write(folder, format)
    (folder / "README.md").write_text("# a card lies beside the files\n")
    (folder / "samples.png").write_bytes(encode_pngs(IMAGES[:1])[0])
    code = loading_section({"generation": {"format": format}}).split("```python\n")[1].split("```")[0]
    program = f"{code}\nprint(*({LOOKED_AT[format]},))\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == FOUND[format]
