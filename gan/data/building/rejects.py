"""The list of rejects: every file that is not in the dataset, with its reason, as JSON lines."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from gan.data.building.part_store import PartStore
from gan.data.building.plan import Plan
from gan.data.files.atomic import replacing
from gan.data.records import Reject
from gan.errors import DatasetError

_BATCH = 10_000


def write_rejects(path: Path, store: PartStore, plan: Plan) -> None:
    """Write every reject as a line `{"path": …, "reason": …, "detail": …}`, in the order of the source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        for reject in _rejects(store, plan):
            line = {"path": reject.path, "reason": reject.reason, "detail": reject.detail}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_rejects(path: Path, most: int) -> list[Reject]:
    """Read the first `most` rejects of a list.

    Raises:
        DatasetError: the list is damaged.
    """
    return list(islice(_read(path), most))


def count_reasons(path: Path) -> dict[str, int]:
    """Count the rejects of a list by reason.

    Raises:
        DatasetError: the list is damaged.
    """
    return dict(Counter(reject.reason for reject in _read(path)))


def _read(path: Path) -> Iterator[Reject]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                reject = Reject(**json.loads(line))
                if not all(isinstance(text, str) for text in (reject.path, reject.reason, reject.detail)):
                    raise TypeError("a reject is three texts")
                yield reject
    except (ValueError, TypeError, RecursionError):
        raise DatasetError(f"the list of rejects {path} is damaged: remove it and ingest again") from None


def count_rejects(store: PartStore, plan: Plan) -> dict[str, int]:
    """Return the rejects by reason, in alphabetical order."""
    counts = Counter(reason for reason, _ in plan.rejects.values())
    records = _broken(store)
    for start in range(0, len(records), _BATCH):
        counts.update(store.values("reason", records[start : start + _BATCH]))
    return dict(sorted(counts.items()))


def _broken(store: PartStore) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return the records that their part rejected."""
    return np.flatnonzero(store.column("channels") == 0)


def _rejects(store: PartStore, plan: Plan) -> Iterator[Reject]:
    records = np.union1d(_broken(store), np.array(sorted(plan.rejects), np.int64))
    for start in range(0, len(records), _BATCH):
        batch = records[start : start + _BATCH]
        paths = store.values("path", batch)
        reasons, details = store.values("reason", batch), store.values("detail", batch)
        originals = np.array([plan.rejects.get(int(record), ("", -1))[1] for record in batch])
        names = dict(
            zip(originals[originals >= 0].tolist(), store.values("path", originals[originals >= 0]), strict=True)
        )
        for record, path, reason, detail in zip(batch.tolist(), paths, reasons, details, strict=True):
            if record in plan.rejects:
                reason, original = plan.rejects[record]
                detail = f"of {names[original]}" if original >= 0 else detail or ""
            yield Reject(path, reason, detail)
