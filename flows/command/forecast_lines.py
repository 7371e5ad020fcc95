"""The lines of `ganflow train --dry-run`."""

from tasks.train.forecast import Forecast

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def forecast_lines(result: Forecast) -> list[str]:
    """Configuration, networks, memory and time, and what training would begin with."""
    config = result.config
    network, loss, train = config.network, config.loss, config.train
    classes = f"{result.num_classes} classes" if result.num_classes else "no classes"
    widths = ", ".join(str(width) for width in network.widths)
    penalties = [
        f"{name} {weight:g}"
        for name, weight in (("R1", loss.r1_gamma), ("R2", loss.r2_gamma), ("gradient", loss.gradient_penalty))
        if weight
    ]
    lines = [
        f"dataset   {result.dataset_md5}: {result.num_train} images of {network.resolution}x{network.resolution}"
        f"x{result.channels}, {classes}",
        f"preset    {config.preset}: {network.architecture}, widths {widths}; {loss.kind} loss, "
        f"penalties {', '.join(penalties) or 'none'}; augmented by {', '.join(config.augment.operations) or 'nothing'}",
        f"training  {train.total_kimg:g} kimg in batches of {train.batch_size}, seed {train.seed}, "
        f"on {result.workers} x {result.device} ({result.threads} threads each)",
        f"networks  G {_count(result.cost['generator_parameters'])}, "
        f"D {_count(result.cost['discriminator_parameters'])} parameters",
        f"images    {result.images.removeprefix('training images: ')}",
        f"memory    about {_bytes(result.needed_bytes)} on each worker beside PyTorch itself, "
        f"{_bytes(result.dataset_bytes)} of it for the images; {_bytes(result.free_bytes)} are free",
        f"time      {_time(result)}",
    ]
    if result.resumes:
        lines.append(f"resumes   run {result.resumes} from image {result.first_nimg}")
    elif result.warm_start:
        lines.append(f"begins    with version {result.warm_start.version}, run {result.warm_start.run_id}")
    return [*lines, "          nothing was started"]


def _time(result: Forecast) -> str:
    if result.seconds is None:
        fitting = result.fitting_accumulate
        return "not measured: a step does not fit into the memory that is free; " + (
            f"with train.accumulate={fitting} it would, in pieces; or add workers"
            if fitting
            else "lower train.batch_size or add workers"
        )
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in result.rates.items())
    return f"about {duration(result.seconds)} in {result.choice} (img/s of a worker: {rates})"


def duration(seconds: float) -> str:
    """Two units are enough of it: `1 d 4 h`, `12 min 30 s`."""
    rest, parts = max(round(seconds), 1), list[str]()
    for size, name in UNITS:
        if rest >= size or parts:
            parts.append(f"{rest // size} {name}")
            rest %= size
    return " ".join(parts[:2])


def _count(number: int) -> str:
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}".replace(",", " ")


def _bytes(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.1f} MiB"
