"""What `ingest` does in a second and how much memory it takes, against Hugging Face `datasets` and a loop over Pillow.

Claim 1: from a folder of PNG files, A (ganflow) makes a dataset faster than B, the faster of B1 (the imagefolder of
`datasets` as Parquet, pictures embedded) and B2 (Pillow and pyarrow, one process). A decodes, judges, hashes, looks for
copies and encodes again; B1 copies the files' bytes without a look at the pixels; B2 decodes and encodes.
Claim 2: images a second from CIFAR's binary files.
Claim 3 (`--memory`): ten times the images do not take ten times the memory.
Claim 4 (`--names 1000000`): `ganflow ingest --dry-run` of so many files, in 2,000 folders, in under a minute.

Every run is a process of its own, start-up counted, into a fresh folder. Prints one JSON object.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PROGRAM = [sys.executable, os.path.abspath(__file__)]
# Ways to have `datasets` do it, and numbers of processes: which is the fastest is not known before.
WAYS = tuple((how, count) for how in ("load_dataset, map, to_parquet", "download_and_prepare") for count in (1, 2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=60_000, help="images, at most 60,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="claim 3 too, on n and on ten times n images")
    parser.add_argument("--names", type=int, default=0, help="claim 4 too, on so many files")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)  # what a process of its own is to do
    arguments = parser.parse_args()
    if arguments.run:
        RUNS[arguments.run[0]](*arguments.run[1:])
        return
    with tempfile.TemporaryDirectory(prefix="ganflow-bench-") as top:
        print(json.dumps(measure(Path(top), arguments.n, arguments.rounds, arguments.memory, arguments.names)))


def measure(top: Path, n: int, rounds: int, memory: bool, names: int) -> dict:
    """Return everything that is claimed, with what it was measured on."""
    from gan.device.machine import processor_name  # with PyTorch, which an ingest never loads

    load = os.getloadavg()[0]
    train, test, origin = cifar(n)
    folder, binary = top / "folder", top / "binary"
    write_folder(folder, train, test)
    write_binary(binary, train, test, copies=1)
    result = {
        "benchmark": "ingest",
        "images": n,
        "size": "32x32 RGB",
        "origin": origin,
        "folder": from_folder(top, folder, n, rounds),
        "binary": from_binary(top, binary, n, rounds),
        "hardware": {"cpu": processor_name(), "cores": len(os.sched_getaffinity(0)), "load_before": round(load, 2)},
        "python": platform.python_version(),
        "versions": {name: __import__(name).__version__ for name in ("datasets", "PIL", "pyarrow", "numpy")},
    }
    if memory:
        ten = top / "ten"
        write_binary(ten, train, test, copies=10)
        result["memory"] = bounded(top, {n: binary, 10 * n: ten})
    if names:
        result["dry_run"] = dry_run(top, sorted((folder / "train").rglob("*.png"))[:300], names)
    return result


def from_folder(top: Path, folder: Path, n: int, rounds: int) -> dict:
    """Claim 1: A, B1 and B2 in turn, beginning with another each round."""
    tried = {way: timed(top, ["datasets", folder, *way])[0] for way in WAYS}
    best = min(tried, key=tried.__getitem__)
    contenders = {"ganflow": ["ganflow", folder], "datasets": ["datasets", folder, *best], "pillow": ["pillow", folder]}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    made: dict[str, dict] = {}
    for number in range(rounds):
        names = list(contenders)
        for name in names[number % 3 :] + names[: number % 3]:
            seconds, made[name] = timed(top, contenders[name])
            rates[name].append(n / seconds)
    ratios = [a / max(b1, b2) for a, b1, b2 in zip(*rates.values(), strict=True)]
    return {
        "img_per_s": {name: [round(rate) for rate in found] for name, found in rates.items()},
        "median_img_per_s": {name: round(statistics.median(found)) for name, found in rates.items()},
        "ratio_to_the_faster_by_round": [round(ratio, 2) for ratio in ratios],
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "datasets_way": {"how": best[0], "num_proc": best[1]},
        "datasets_tried_img_per_s": {f"{how}, num_proc={count}": round(n / tried[how, count]) for how, count in WAYS},
        "made": made,
    }


def from_binary(top: Path, folder: Path, n: int, rounds: int) -> dict:
    """Claim 2."""
    rates = []
    for _ in range(rounds):
        seconds, made = timed(top, ["ganflow", folder])
        rates.append(n / seconds)
    return {
        "img_per_s": [round(rate) for rate in rates],
        "median_img_per_s": round(statistics.median(rates)),
        "made": made,
    }


def bounded(top: Path, folders: dict[int, Path]) -> dict:
    """Claim 3: peaks on a set and on one ten times as large."""
    found = {}
    for n, folder in folders.items():
        peaks: dict[str, float] = {}
        seconds, made = timed(top, ["ganflow", folder], peaks)
        found[n] = {"img_per_s": round(n / seconds), "made": made} | {
            name: round(value / 2**20) for name, value in peaks.items()
        }
    small, large = found.values()
    extra = {name: large[name] - small[name] for name in small if name.endswith("_mib")}
    fewer, more = folders
    return {
        "by_images": found,
        "growth_mib": extra,
        "bytes_per_further_image": round(extra["tree_anonymous_mib"] * 2**20 / (more - fewer)),
        "ratio": round(large["tree_anonymous_mib"] / small["tree_anonymous_mib"], 2),
    }


def dry_run(top: Path, images: list[Path], count: int) -> dict:
    """Claim 4, on hard links: no file but 64 is opened, and none looked at."""
    root, per_class = top / "names", -(-count // 2000)
    for number in range(count):
        folder = root / ("test" if number % 2 else "train") / f"class{number // 2 // per_class:04d}"
        if not number // 2 % per_class:
            folder.mkdir(parents=True)
        os.link(images[number % len(images)], folder / f"{number}.png")
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "ingest", str(root), "--dry-run", "--json"],
        stdout=subprocess.PIPE,
        env=os.environ | {"GANFLOW_HOME": str(top)},
    )
    assert process.stdout
    found = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "files": found["files"]["files"],
        "classes": found["classes"],
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": used.ru_maxrss >> 10,
    }


def timed(top: Path, run: list, peaks: dict[str, float] | None = None) -> tuple[float, dict]:
    """Do a run in a process of its own, in a fresh folder; return its seconds and what it made, which is removed."""
    out = top / "out"
    out.mkdir()
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(out / "hf")}
    started = time.perf_counter()
    process = subprocess.Popen([*PROGRAM, "--run", *map(str, [run[0], out, *run[1:]])], env=environment)
    while process.poll() is None:
        if peaks is not None:
            sample(process.pid, peaks)
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{run} failed")
    made = look(out)
    shutil.rmtree(out)
    return seconds, made


def sample(pid: int, peaks: dict[str, float]) -> None:
    """Raise the peaks of a process and its children: all of its memory, and that part which no file stands behind."""
    try:
        main = psutil.Process(pid)
        infos = [each.memory_info() for each in [main, *main.children(recursive=True)]]
    except psutil.NoSuchProcess:
        return
    now = {
        "main_resident_mib": infos[0].rss,
        "main_anonymous_mib": infos[0].rss - infos[0].shared,
        "largest_child_resident_mib": max((info.rss for info in infos[1:]), default=0),
        "tree_anonymous_mib": sum(info.rss - info.shared for info in infos),
    }
    peaks |= {name: max(value, peaks.get(name, 0)) for name, value in now.items()}


def look(out: Path) -> dict:
    """Count the rows and see that pictures are in them."""
    rows, shards = 0, sorted((out / "made").glob("*.parquet"))
    for path in shards:
        with pq.ParquetFile(path) as file:
            rows += file.metadata.num_rows
            picture = next(file.iter_batches(1, columns=["image"])).column(0)[0].as_py()
    info = out / "made" / "dataset.json"
    rejects = json.loads(info.read_text())["rejects"] if info.exists() else {}
    embedded = bool(picture["bytes"])
    megabytes = sum(path.stat().st_size for path in shards) >> 20
    return {"rows": rows, "rejects": rejects, "pictures_embedded": embedded, "mib": megabytes, "files": len(shards)}


def run_ganflow(out: str, source: str) -> None:
    """Ingest as the command line does, without versioning."""
    from gan.configuration.config import DataConfig
    from gan.data.building.build import build_dataset
    from gan.data.building.pool import Pool
    from gan.data.sources.detect import open_source
    from gan.data.sources.spec import SourceSpec

    place = Path(out)
    places = {"work": place / "parts", "quarantine": place / "quarantine.jsonl"}
    with Pool() as pool:
        opened = open_source(SourceSpec(source), place / "scratch")
        build_dataset(opened, DataConfig(resolution=32), place / "made", run_jobs=pool.run, **places)


def run_datasets(out: str, source: str, how: str, processes: str) -> None:
    """Make Parquet with `datasets`, pictures embedded."""
    import datasets
    from datasets.table import embed_table_storage

    datasets.disable_progress_bars()
    made, cache = Path(out) / "made", str(Path(out) / "cache")
    count = int(processes) if int(processes) > 1 else None
    if how == "download_and_prepare":
        builder = datasets.load_dataset_builder("imagefolder", data_dir=source, cache_dir=cache)
        builder.download_and_prepare(str(made), file_format="parquet", num_proc=count)
        return
    made.mkdir()
    loaded = datasets.load_dataset("imagefolder", data_dir=source, cache_dir=cache, num_proc=count)
    for split, rows in loaded.items():
        rows = rows.with_format("arrow").map(embed_table_storage, batched=True, num_proc=count)
        rows.to_parquet(str(made / f"{split}.parquet"))


def run_pillow(out: str, source: str) -> None:
    """Decode and encode each file in a loop."""
    import io

    import pyarrow as pa

    made = Path(out) / "made"
    made.mkdir()
    for split in ("train", "test"):
        paths = sorted(Path(source, split).rglob("*.png"))
        names = sorted({path.parent.name for path in paths})
        for start in range(0, len(paths), 10_000):
            pictures, labels = [], []
            for path in paths[start : start + 10_000]:
                data = io.BytesIO()
                with Image.open(path) as image:
                    image.convert("RGB").save(data, "PNG")
                pictures.append({"bytes": data.getvalue(), "path": path.name})
                labels.append(names.index(path.parent.name))
            pq.write_table(pa.table({"image": pictures, "label": labels}), made / f"{split}-{start}.parquet")


RUNS = {"ganflow": run_ganflow, "datasets": run_datasets, "pillow": run_pillow}


def cifar(n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return `[n, 3073]` uint8 rows of CIFAR's binary files, five in six to train on, and where they come from."""
    train, test = n - n // 6, n // 6
    folder = Path(os.environ.get("GANFLOW_TEST_DATA", "")) / "cifar10"
    if os.environ.get("GANFLOW_TEST_DATA") and folder.is_dir():
        files = [folder / f"data_batch_{number}.bin" for number in range(1, 6)]
        rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
        held_out = np.fromfile(folder / "test_batch.bin", np.uint8).reshape(-1, 3073)
        if train > len(rows) or test > len(held_out):
            raise SystemExit(f"CIFAR-10 has {len(rows) + len(held_out):,} images: give --n 60000 at most")
        return rows[:train], held_out[:test], "CIFAR-10"
    rows = synthetic(n)
    return rows[:train], rows[train:], "synthetic: clouds of three sizes and a little noise, seed 0"


def synthetic(n: int) -> np.ndarray:
    """Draw images whose neighbouring pixels are alike, as photographs' are."""
    random = np.random.default_rng(0)
    rows = np.empty((n, 3073), np.uint8)
    rows[:, 0] = np.arange(n) % len(CLASSES)
    for row in rows:
        image = random.normal(128, 6, (32, 32, 3))
        for side, strength in ((4, 0.5), (8, 0.3), (16, 0.15)):
            cloud = Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8))
            image += strength * (np.asarray(cloud.resize((32, 32), Image.Resampling.BICUBIC), np.float64) - 128)
        row[1:] = image.clip(0, 255).astype(np.uint8).transpose(2, 0, 1).reshape(-1)
    return rows


def write_folder(folder: Path, train: np.ndarray, test: np.ndarray) -> None:
    """Write PNG files as Pillow does, in a folder for each split and class."""
    for split, rows in (("train", train), ("test", test)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
        for index, row in enumerate(rows):
            image = Image.fromarray(np.ascontiguousarray(row[1:].reshape(3, 32, 32).transpose(1, 2, 0)))
            image.save(folder / split / CLASSES[row[0]] / f"{index:05d}.png")


def write_binary(folder: Path, train: np.ndarray, test: np.ndarray, copies: int) -> None:
    """Write CIFAR's files; each copy has its pixels' bits flipped in another way, so that none equals another."""
    folder.mkdir()
    step = -(-len(train) // 5)
    with (folder / "test_batch.bin").open("wb") as held_out:
        for copy in range(copies):
            # A byte for each channel and copy; labels stay.
            mask = np.repeat(np.array([0, copy, copy * 7 % 256, copy * 13 % 256], np.uint8), [1, 1024, 1024, 1024])
            held_out.write((test ^ mask).tobytes())
            for part in range(5):
                rows = train[part * step : (part + 1) * step] ^ mask
                (folder / f"data_batch_{copy * 5 + part + 1}.bin").write_bytes(rows.tobytes())


if __name__ == "__main__":
    main()
