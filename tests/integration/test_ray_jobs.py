"""Parts of a source read as Ray tasks, on a real Ray of this machine."""

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from tasks.ingest.on_ray import job_runner
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration


def test_a_cluster_gives_the_same_bytes_as_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.records.PART_IMAGES", 7)
    for index in range(60):
        path = tmp_path / "source" / f"class{index % 3}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (12, 9, 3), dtype=np.uint8)).save(path)
    (tmp_path / "source" / "class0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    source = open_source(SourceSpec(str(tmp_path / "source")), tmp_path / "scratch")
    assert len(source.parts()) > 5
    built = {}
    for name, address in (("here", None), ("ray", "local")):
        out = tmp_path / name
        work, quarantine = tmp_path / f"work-{name}", tmp_path / f"{name}.jsonl"
        with job_runner(Settings(ganflow_home=tmp_path, ray_address=address)) as run_jobs:
            build_dataset(source, DataConfig(resolution=8), out, work=work, quarantine=quarantine, run_jobs=run_jobs)
        built[name] = {path.name: path.read_bytes() for path in out.iterdir()} | {"rejects": quarantine.read_bytes()}
    assert built["ray"] == built["here"]
