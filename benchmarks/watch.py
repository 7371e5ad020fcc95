"""Whether the score beside training picks the better of two checkpoints, although it looks at few images.

Each training of the preset leaves its checkpoints at half and at full length. Of each, KID is measured as the watch
beside a training does it (`evaluation.watch_images` generated images of seeds below zero) and by a judge: more images,
of the seeds that evaluations draw. Claim: what the watch picks is never worse by the judge than what it leaves by more
than the judge's own 95 % interval.

  python benchmarks/watch.py data/ --out watch/     # a dataset folder; ten trainings of `digits`

A killed run goes on with the checkpoints and scores that lie in --out. Progress goes to standard error; the last line
is one JSON object.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from measured.figures import say

from gan.configuration.config import Config
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.data.image_sets.image_set import ImageSet, open_image_set
from gan.data.store.resident import Resident
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.real import RealFeatures, RealImages
from gan.evaluation.scores import kid_metric
from gan.evaluation.watch import SPLIT, Watch
from gan.generation.sampling import sample_uint8
from gan.metrics.features import FeatureExtractor
from gan.metrics.kid import kid
from gan.metrics.network import inception
from gan.metrics.weights import find_inception_weights
from gan.networks.build import build_generator
from gan.training.checkpoint import load_header, load_tensors
from gan.training.context import LocalContext
from gan.training.header import Header
from gan.training.loop import run_training

CPU = torch.device("cpu")


def header_of(config: Config, images: ImageSet) -> Header:
    """What the checkpoints of a training carry."""
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5=images.digest,
        channels=images.images.shape[-1],
        num_classes=len(images.class_names),
        class_names=tuple(images.class_names),
    )


def checkpoints(config: Config, images: ImageSet, folder: Path) -> list[Path]:
    """Train, or go on with a training that was killed, and return its two checkpoints, the earlier one first."""
    context = LocalContext(folder, device=CPU)
    run_training(config, np.asarray(images.images), images.labels, context, header_of(config, images))
    return sorted(folder.glob("checkpoint-*"))


def program_of(checkpoint: Path):
    """Map rows (seed, label) to images by a checkpoint's G_ema."""
    header = load_header(checkpoint)
    G = build_generator(Config.model_validate(header.config).network, **header.shape)
    G.load_state_dict(load_tensors(checkpoint, CPU)["G_ema"])
    G.eval()
    return lambda rows: torch.from_numpy(sample_uint8(G, rows[:, 0], rows[:, 1], CPU))


class Judges:
    """The watch, and what knows better.

    Args:
        images: what is trained on.
        config: of the trainings.
        count: images that the judge draws.
        out: where features of real images are kept.
    """

    def __init__(self, images: ImageSet, config: Config, count: int, out: Path) -> None:
        real = RealImages(images.digest, {SPLIT: Resident(images.images, images.labels)}, images.class_names)
        network = inception(find_inception_weights(None, out), precision="fp32", device=CPU)
        extraction = LocalExtraction(FeatureExtractor(network, resize=config.evaluation.resize))
        self.features = RealFeatures(real, extraction, out, config.evaluation.seed)
        evaluation = config.evaluation
        self.watch = Watch(
            self.features,
            evaluation.watch_images,
            reference=evaluation.num_images,
            conditional=bool(images.class_names),
        )
        self.count = count

    def score(self, checkpoint: Path) -> dict:
        """Return both scores with their intervals."""
        program = program_of(checkpoint)
        seeds = np.arange(self.count, dtype=np.int64)
        labels = np.resize(self.watch.real_labels, self.count)
        drawn, _ = self.features.extraction.of_program(program, seeds, labels, lambda done: None)
        real = self.features.of(SPLIT, len(self.watch.real_labels), lambda done: None)
        judged = kid_metric(kid(drawn.features, real.features))
        watched = self.watch.score(program).kid
        return {
            name: {"kid": found.value, "low": found.low, "high": found.high}
            for name, found in (("watch", watched), ("judge", judged))
        }


def scored(judges: Judges, checkpoint: Path) -> dict:
    """Return the scores of a checkpoint, measured once."""
    path = checkpoint.with_name(f"scores-of-{checkpoint.name}.json")
    if not path.exists():
        path.write_text(json.dumps(judges.score(checkpoint)))
    return json.loads(path.read_text())


def row_of(seed: int, earlier: dict, later: dict) -> dict:
    """What one training shows: which checkpoint each of the two would take, and what the watch's choice costs."""
    pick, better = (min((0, 1), key=lambda i: (earlier, later)[i][who]["kid"]) for who in ("watch", "judge"))
    judged = [each["judge"] for each in (earlier, later)]
    chosen, left = judged[pick], judged[1 - pick]
    half_width = (chosen["high"] - chosen["low"]) / 2
    return {
        "seed": seed,
        "scores": [earlier, later],
        "agree": pick == better,
        "held": chosen["kid"] - left["kid"] <= half_width,
    }


def main() -> None:
    """Train, score, and print what the watch picks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a dataset folder, as `ganflow ingest` makes it")
    parser.add_argument("--out", type=Path, help="what is kept of a killed run (default: nothing)")
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="change a key of the preset")
    parser.add_argument("--trainings", type=int, default=10)
    parser.add_argument("--judge", type=int, default=1000, help="images that the judge draws")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        images = open_image_set(given.data, split="train", scratch=Path(scratch))
        rows = []
        judges = None
        for seed in range(given.trainings):
            config = apply_overrides(preset(given.preset), [*given.overrides, f"train.seed={seed}"])
            judges = judges or Judges(images, config, given.judge, out)
            found = checkpoints(config, images, out / f"seed-{seed}")
            rows.append(row_of(seed, *(scored(judges, checkpoint) for checkpoint in found)))
            say(f"{given.preset}, seed {seed}: {rows[-1]}")
    result = {
        "preset": given.preset,
        "watch_images": config.evaluation.watch_images,
        "judge_images": given.judge,
        "trainings": rows,
        "agreements": sum(row["agree"] for row in rows),
        "held": all(row["held"] for row in rows),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
