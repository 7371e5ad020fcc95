"""From the records of cells to what people read: a table, and which side was better on which seed."""

from collections.abc import Sequence
from statistics import median
from typing import Any

Record = dict[str, Any]


def metric_named(record: Record, name: str) -> tuple[str, Record]:
    """Return key and value of the metric of a cell that begins with `name` and ends in a number of images.

    Raises:
        KeyError: there is none.
    """
    for key, metric in record["metrics"].items():
        if key.startswith(name) and key.removeprefix(name)[:1].isdigit():
            return key, metric
    raise KeyError(name)


def comparisons(records: Sequence[Record]) -> list[Record]:
    """Compare the first variant of each experiment, subset and budget with each other one, seed by seed.

    Args:
        records: of cells, with `experiment`, `subset`, `budget`, `variant`, `first_variant`, `seed`, `images`, and
            `metrics`.

    Returns:
        For FID and KID each: the values by seed, the ratios of other to first, and whether the first is lower on
        every seed that both have. Lower is better.
    """
    groups: dict[tuple[Any, ...], dict[str, dict[int, Record]]] = {}
    firsts: dict[tuple[Any, ...], str] = {}
    for record in records:
        key = (record["experiment"], record["subset"], record["budget"], record["images"])
        groups.setdefault(key, {}).setdefault(record["variant"], {})[record["seed"]] = record
        firsts[key] = record["first_variant"]
    return [
        _compare(key, first, sides[first], other, sides[other], name)
        for key, sides in groups.items()
        if (first := firsts[key]) in sides
        for other in sides
        if other != first and sides[other].keys() & sides[first].keys()
        for name in ("fid", "kid")
    ]


def _compare(
    key: tuple[Any, ...], first: str, ours: dict[int, Record], other: str, theirs: dict[int, Record], name: str
) -> Record:
    seeds, sides = sorted(ours.keys() & theirs.keys()), ((first, ours), (other, theirs))
    metric = metric_named(ours[seeds[0]], name)[0]
    pairs = [(ours[seed]["metrics"][metric], theirs[seed]["metrics"][metric]) for seed in seeds]
    # about 0 a KID has no sign that means anything
    ratios = [b["value"] / a["value"] if a["value"] > 0 else None for a, b in pairs]
    known = [ratio for ratio in ratios if ratio is not None]
    return {
        "experiment": key[0],
        "subset": key[1],
        "budget": key[2],
        "metric": metric,
        "first": first,
        "other": other,
        "seeds": seeds,
        "values": {first: [a["value"] for a, _ in pairs], other: [b["value"] for _, b in pairs]},
        "training_seconds": {name: [side[seed]["training"]["seconds"] for seed in seeds] for name, side in sides},
        "training_images": {name: [side[seed]["training"]["images"] for seed in seeds] for name, side in sides},
        "ratios": ratios,
        "median_ratio": median(known) if known else None,
        "lower_on_every_seed": all(a["value"] < b["value"] for a, b in pairs),
        "intervals_apart_on_every_seed": all(a["high"] < b["low"] for a, b in pairs),
    }


COLUMNS = ("cell", "kimg", "seconds", "img/s", "FID", "KID x 1000", "recall", "copies", "pixel copies", "gain")


def table(records: Sequence[Record]) -> str:
    """Return the cells as a table in plain text; figures with their 95 % intervals."""
    rows = [COLUMNS, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    used = [column for column in range(len(COLUMNS)) if any(row[column] for row in rows[1:])]
    return "\n".join("  ".join(row[column].ljust(widths[column]) for column in used).rstrip() for row in rows)


def _row(record: Record) -> tuple[str, ...]:
    training, rare, found = record["training"], record.get("rare_class"), record.get("copies")
    shares = [_interval(found[how]["share"], 100, 1) + " %" if found else "" for how in ("features", "pixels")]
    return (
        record["cell"],
        f"{training['images'] / 1000:.1f}",
        f"{training['seconds']:.0f}",
        f"{training['images_per_second']:.0f}",
        _interval(metric_named(record, "fid")[1], 1, 2),
        _interval(metric_named(record, "kid")[1], 1000, 2),
        _interval(metric_named(record, "recall")[1], 1, 3),
        *shares,
        _interval(rare["metrics"]["rare_recall_gain"], 1, 3) if rare else "",
    )


def _interval(metric: Record, factor: float, digits: int) -> str:
    value, low, high = (f"{metric[key] * factor:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def sentences(compared: Sequence[Record]) -> str:
    """Return the comparisons, a line each."""
    lines = []
    for each in compared:
        where = " ".join([each["experiment"], *([each["subset"]] if each["subset"] != "all" else []), each["budget"]])
        ratios = ", ".join("-" if ratio is None else f"{ratio:.2f}" for ratio in each["ratios"])
        lower = "lower on every seed" if each["lower_on_every_seed"] else "not lower on every seed"
        apart = ", intervals apart" if each["intervals_apart_on_every_seed"] else ""
        lines.append(
            f"{where}, {each['metric']}: {each['first']} is {lower} than {each['other']}{apart}; "
            f"{each['other']} / {each['first']} on seeds {', '.join(map(str, each['seeds']))}: {ratios}"
        )
    return "\n".join(lines)
