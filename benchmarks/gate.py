"""What the promotion gate refuses, on measured sets, and how often two trainings of one recipe replace each other.

Real digits pass through the real Inception network. The champion is planted: held back training images with some noise.
So are the candidates, each with one fault: worse; the same in another draw; the third of each class that is nearest to
its mean; a class that is always one image; a tenth copied, shifted by a pixel; noise alone. Two more are a checkpoint
with a NaN and a version whose program is another checkpoint's. Claim: the better one passes, and each other
one is refused by the look that is there for it.

  python benchmarks/gate.py data/ --out gate/              # a dataset folder of the preset `digits`
  python benchmarks/gate.py data/ --out gate/ --pairs 20   # instead, pairs of trainings that differ by their seed alone

Of each pair both are once the candidate: the lower value alone would let one of them pass, always. Features and
checkpoints that lie in --out are not made again. Progress goes to standard error; the last line is one JSON object.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measured.figures import say
from watch import CPU, checkpoints, header_of, program_of

from gan.configuration.config import Config, EvaluationConfig
from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import preset
from gan.data.image_sets.image_set import ImageSet, open_image_set
from gan.data.store.resident import Resident
from gan.device.precision import native_bf16
from gan.errors import CheckpointError, ProtocolMismatchError
from gan.evaluation.evaluator import Evaluated, Evaluator
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.gate import Decision, decide
from gan.evaluation.real import RealFeatures, RealImages
from gan.generation.export import SeededGenerator
from gan.generation.sampling import Program, draw
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.features import FeatureExtractor
from gan.metrics.network import inception
from gan.metrics.paired import paired_difference
from gan.metrics.weights import find_inception_weights
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from tasks.register.program_check import same_to_others
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, run
from tasks.tracking.registry import load_generator, register_version

CHAMPION_NOISE, WORSE_NOISE, ONE_CLASS = 4.0, 24.0, 3
COPIED, OTHER = 10, 2**20  # every so many images; from one draw's seeds to another's


class Remembering:
    """Inception's features of images, each image passed once.

    Args:
        extractor: network and resize.
        file: where features are kept.
    """

    def __init__(self, extractor: FeatureExtractor, file: Path) -> None:
        self.extractor, self.file, self.known = extractor, file, {}
        self.local = LocalExtraction(extractor)
        if file.exists():
            with np.load(file, allow_pickle=False) as kept:
                self.known = dict(zip(kept["names"].tolist(), kept["features"], strict=True))

    def of_images(self, images: np.ndarray, rows: np.ndarray, on_progress: Callable[[int], None]) -> FeatureSet:
        """As `gan.evaluation.extraction.Extraction.of_images`."""
        wanted = np.asarray(images[rows])
        names = [hashlib.sha256(image.tobytes()).hexdigest() for image in wanted]
        new = {name: index for index, name in enumerate(names) if name not in self.known}
        if new:
            found = self.local.of_images(wanted, np.fromiter(new.values(), np.int64), on_progress).features
            self.known |= dict(zip(new, found, strict=True))
            features = np.stack(list(self.known.values()))
            np.savez(self.file, names=np.array(list(self.known)), features=features)
        return collect([np.stack([self.known[name] for name in names])])

    def of_program(
        self, program: Program, seeds: np.ndarray, labels: np.ndarray, on_progress: Callable[[int], None]
    ) -> tuple[FeatureSet, np.ndarray]:
        """As `gan.evaluation.extraction.Extraction.of_program`."""
        images = np.concatenate(list(draw(program, seeds, labels)))
        return self.of_images(images, np.arange(len(images)), on_progress), images


def planted(images: np.ndarray, labels: np.ndarray, change: Callable[[np.ndarray, int], np.ndarray]) -> Program:
    """Map rows (seed, label) to images of a pool, one after the other of each class, each changed by its seed."""
    pools = {label: images[labels == label] for label in np.unique(labels).tolist()}

    def program(rows: torch.Tensor) -> torch.Tensor:
        drawn = [change(pools[label][seed % len(pools[label])], seed) for seed, label in rows.tolist()]
        return torch.from_numpy(np.stack(drawn))

    return program


def noisy(image: np.ndarray, seed: int, spread: float) -> np.ndarray:
    """Add noise that follows from the seed."""
    noise = np.random.default_rng(seed).normal(0.0, spread, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def candidates(pool: np.ndarray, labels: np.ndarray, training: np.ndarray) -> dict[str, tuple[Program, set[str]]]:
    """The planted candidates: each program, and the looks of which one at least has to refuse it."""
    centre = np.zeros(len(pool), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        apart = ((pool[rows] - pool[rows].mean(axis=0)) ** 2).reshape(len(rows), -1).sum(axis=1)
        centre[rows[np.argsort(apart)[: len(rows) // 3]]] = True
    one = pool[labels == ONE_CLASS][:1]
    collapsed = np.concatenate([pool[labels != ONE_CLASS], one])
    of_collapsed = np.concatenate([labels[labels != ONE_CLASS], [ONE_CLASS]])

    def as_it_is(image: np.ndarray, seed: int) -> np.ndarray:
        return image

    def copying(image: np.ndarray, seed: int) -> np.ndarray:
        return image if seed % COPIED else np.roll(training[seed % len(training)], 1, axis=1)

    def collapsing(image: np.ndarray, seed: int) -> np.ndarray:
        return noisy(image, seed, 2.0) if np.array_equal(image, one[0]) else image

    def draws(change: Callable[[np.ndarray, int], np.ndarray]) -> Program:
        return planted(pool, labels, change)

    return {
        "better": (draws(as_it_is), set()),
        "worse": (draws(lambda image, seed: noisy(image, seed, WORSE_NOISE)), {"kid"}),
        "another draw": (draws(lambda image, seed: noisy(image, seed + OTHER, CHAMPION_NOISE)), {"kid"}),
        "a third of the variety": (planted(pool[centre], labels[centre], as_it_is), {"recall", "coverage"}),
        "a collapsed class": (
            planted(collapsed, of_collapsed, lambda image, seed: noisy(image, seed, 2.0)),
            {"variety"},
        ),
        "copies": (draws(copying), {"copies", "pixel_copies"}),
        "noise": (draws(lambda image, seed: noisy(image * 0 + 128, seed, 60.0)), {"kid"}),
    }


def row(name: str, decision: Decision, wanted: set[str]) -> dict:
    """What became of a candidate."""
    refused = [reason.check for reason in decision.reasons if not reason.passed]
    by_wanted = any(check.rstrip("0123456789k") in wanted or check in wanted for check in refused)
    return outcome(name, refused, decision.reason, by_wanted and not decision.promote if wanted else decision.promote)


def outcome(name: str, refused: list[str], reason: str, held: bool) -> dict:
    """A line of the result."""
    say(f"{name}: {f'refused by {refused}' if refused else 'passed'}: {reason}")
    return {"candidate": name, "refused_by": refused, "reason": reason, "held": held}


def measured_sets(evaluators: Callable[[int], Evaluator], images: ImageSet, half: int, count: int) -> list[dict]:
    """Let the planted candidates compete with the planted champion, and alone."""
    pool, labels, training = images.images[half:], images.labels[half:], images.images[:half]
    champion_program = planted(pool, labels, lambda image, seed: noisy(image, seed, CHAMPION_NOISE))
    evaluator = evaluators(count)
    champion, rows = evaluator.evaluate(champion_program), []
    for name, (program, wanted) in candidates(pool, labels, training).items():
        found = evaluator.evaluate(program)
        rows.append(row(name, against(found, champion), wanted))
        if name in ("better", "noise"):
            alone = decide(found.evaluation, None)
            rows.append(row(f"{name}, without a champion", alone, {"floor"} if wanted else set()))
    try:
        against(evaluators(count // 2).evaluate(champion_program), champion)
    except ProtocolMismatchError as error:
        rows.append(outcome("evaluated with another n", ["protocol"], str(error), True))
    else:
        rows.append(outcome("evaluated with another n", [], "", False))
    return rows


def against(candidate: Evaluated, champion: Evaluated) -> Decision:
    """Decide as `register` does."""
    same = candidate.evaluation.protocol == champion.evaluation.protocol
    difference = paired_difference(candidate.influences, champion.influences) if same else None
    return decide(candidate.evaluation, champion.evaluation, difference)


def broken_programs(config: Config, images: ImageSet, folder: Path) -> list[dict]:
    """Name a checkpoint with a NaN, and a version whose program is that of another checkpoint."""
    header = header_of(config, images)
    good, other = (build_generator(config.network, **header.shape) for _ in range(2))
    state = good.state_dict()
    name = next(iter(state))
    save_to = folder / "nan"
    save_to.mkdir()
    save_checkpoint(save_to, header, {"G_ema": state | {name: torch.full_like(state[name], float("nan"))}})
    try:
        load_generator(save_to)
        rows = [outcome("NaN weights", [], "", False)]
    except CheckpointError as error:
        rows = [outcome("NaN weights", ["weights"], str(error), True)]
    settings = Settings(ganflow_home=folder, mlflow_tracking_uri=None)
    tags = {"dataset_md5": images.digest[:32], "class_names": json.dumps(images.class_names)}
    with run(settings, TRAINING, "planted", tags) as log:
        version = register_version(
            settings, log, SeededGenerator(good), checkpoint="planted", config={}, tags=tags, card="# planted"
        )
    for title, generator, passes in (("its own program", good, True), ("another's program", other, False)):
        look = same_to_others(settings, version, SeededGenerator(generator), 600)
        refused = [] if look.passed else [look.check]
        rows.append(outcome(title, refused, look.said, look.passed == passes))
    return rows


def pairs_of_seeds(evaluator: Evaluator, config: Config, images: ImageSet, count: int, out: Path) -> dict:
    """Train pairs that differ by their seed, and count who would replace whom."""
    replaced, reasons = 0, []
    for pair in range(count):
        both = []
        for seed in (2 * pair, 2 * pair + 1):
            seeded = apply_overrides(config, [f"train.seed={seed}"])
            both.append(evaluator.evaluate(program_of(checkpoints(seeded, images, out / f"seed-{seed}")[-1])))
        decisions = [against(*both), against(*reversed(both))]
        replaced += sum(each.promote for each in decisions)
        reasons.append([each.reason for each in decisions])
        say(f"pair {pair}: {[each.promote for each in decisions]}")
    return {"pairs": count, "candidates": 2 * count, "lower_value_wins": count, "gate": replaced, "reasons": reasons}


def main() -> None:
    """Plant, measure, decide, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a dataset folder, as `ganflow ingest` makes it")
    parser.add_argument("--out", type=Path, help="what is kept of a killed run (default: nothing)")
    parser.add_argument("--count", type=int, default=300, help="images that each program draws")
    parser.add_argument("--pairs", type=int, default=0, help="pairs of trainings, and nothing planted")
    parser.add_argument("--preset", default="digits", help="of the trainings")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="change a key of the preset")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        config = apply_overrides(preset(given.preset), given.overrides)
        images, unseen = (open_image_set(given.data, split=s, scratch=Path(scratch)) for s in ("train", "test"))
        precision = "bf16" if native_bf16(CPU) else "fp32"
        network = inception(find_inception_weights(None, out), precision=precision, device=CPU)
        extraction = Remembering(FeatureExtractor(network, resize=config.evaluation.resize), out / "features.npz")
        test = Resident(unseen.images, unseen.labels)

        def evaluators(train: int) -> Callable[[int], Evaluator]:
            splits = {"train": Resident(images.images[:train], images.labels[:train]), "test": test}
            real = RealImages(f"{images.digest}-{train}", splits, images.class_names)

            def of(count: int) -> Evaluator:
                protocol = EvaluationConfig(num_images=count, copy_images=count, precision=precision)
                return Evaluator(protocol, real=real, features=RealFeatures(real, extraction, out / "real", 0))

            return of

        if given.pairs:
            evaluator = evaluators(len(images))(given.count)
            result = {"count": given.count} | pairs_of_seeds(evaluator, config, images, given.pairs, out)
        else:
            half = len(images) // 2
            rows = measured_sets(evaluators(half), images, half, given.count)
            rows += broken_programs(config, images, Path(scratch))
            result = {"count": given.count, "rows": rows, "held": all(each["held"] for each in rows)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
