"""What a checkpoint says of itself: its header, typed, as a run is given it and as its file holds it."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from gan.configuration.shaping import LATER, shaping
from gan.errors import CheckpointError

FORMAT_VERSION = 2
SHAPELESS_KEYS = ("max_classes", "dropout")
"""Keys of the networks that change no weight's shape."""

T = TypeVar("T")


class HeaderError(CheckpointError):
    """A header that is damaged, or that no ganflow wrote."""


@dataclass(frozen=True)
class WarmStartRecord:
    """The registered model that a run began with.

    Attributes:
        version: its number.
        run_id: the training run that it came from.
        dataset_md5: what it was trained on.
    """

    version: int
    run_id: str
    dataset_md5: str


@dataclass(frozen=True)
class Header:
    """What every checkpoint of a run carries, and what one of them carries beside.

    Attributes:
        config: the run's configuration as a JSON tree, which another ganflow may have written.
        training_hash: of what shapes the training.
        dataset_md5: what it is trained on.
        channels: of the images.
        num_classes: classes that the networks tell apart; 0: unconditional.
        class_names: of the dataset, by label.
        warm_start: the model that the run began with; None: it began at random.
        cur_nimg: images that the checkpoint has seen.
        choice: how steps are computed, as `gan.training.choice.Choice` says it; empty before that is chosen. A run that
            begins with one computes by it, and measures nothing.
        machine: what computed them, as `gan.device.machine.machine_facts` says it; empty where that was not written.
    """

    config: dict[str, Any]
    training_hash: str
    dataset_md5: str
    channels: int
    num_classes: int
    class_names: tuple[str, ...]
    warm_start: WarmStartRecord | None = None
    cur_nimg: int = 0
    choice: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | bytes, name: str) -> "Header":
        """Read the text of a header; what it says beside is left out.

        Args:
            text: what the file holds.
            name: what the checkpoint is called in the sentence.

        Raises:
            HeaderError: it is damaged, or lacks something.
            CheckpointError: its format is not this code's.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise HeaderError(f"the header of {name} is damaged: name another checkpoint")
        tree = _Tree(found, name)
        if (version := tree.has("format_version")) != FORMAT_VERSION:
            raise CheckpointError(
                f"{name} has checkpoint format {str(version)[:20]} but this ganflow reads {FORMAT_VERSION}: use the "
                "version that wrote it"
            )
        return cls(
            config=tree.config(),
            training_hash=tree.of("training_hash", str),
            dataset_md5=tree.of("dataset_md5", str),
            channels=tree.of("channels", int),
            num_classes=tree.of("num_classes", int),
            class_names=tree.names("class_names"),
            warm_start=tree.warm_start(),
            cur_nimg=tree.of("cur_nimg", int),
            choice=tree.of("choice", dict),
            machine=tree.of("machine", dict) if "machine" in found else {},
        )

    def to_json(self) -> str:
        """Return the text that `parse` reads, as it stands in the file."""
        return json.dumps({"format_version": FORMAT_VERSION} | asdict(self), indent=2, sort_keys=True) + "\n"

    def at(self, cur_nimg: int, choice: dict[str, Any], machine: dict[str, Any] | None = None) -> "Header":
        """Return what a checkpoint of this run carries.

        Args:
            cur_nimg: images that it has seen.
            choice: how its steps were computed.
            machine: what computed them.
        """
        return replace(self, cur_nimg=cur_nimg, choice=choice, machine=machine or {})

    @property
    def shape(self) -> dict[str, int]:
        """What of the dataset shapes the networks."""
        return {"channels": self.channels, "num_classes": self.num_classes}

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the classes that the networks tell apart, by label; none of an unconditional run."""
        return self.class_names if self.num_classes else ()

    def shaping(self) -> dict[str, Any]:
        """Return what shapes a training: two runs that agree in it are one and can go on as each other."""
        return shaping(self.config) | {
            "warm_start": self.warm_start and asdict(self.warm_start),
            "dataset_md5": self.dataset_md5,
            **self.shape,
            "class_names": list(self.class_names),
        }

    def networks(self) -> dict[str, Any]:
        """Return what shapes the networks: two runs that agree in it can begin with each other's."""
        network = LATER["network"] | self.config.get("network", {})
        return self.shape | {"network": {key: network[key] for key in network if key not in SHAPELESS_KEYS}}


class _Tree:
    """A tree of JSON from which fields are taken, each of the very type that it has to have.

    Args:
        tree: what was read.
        name: what the checkpoint is called in a sentence.
        within: what the tree is called within its header, with a dot behind.
    """

    def __init__(self, tree: dict[str, Any], name: str, within: str = "") -> None:
        self.tree = tree
        self.name = name
        self.within = within

    def has(self, key: str) -> Any:
        """Return what is there under a key."""
        if key not in self.tree:
            raise HeaderError(
                f"the header of {self.name} says no {self.within}{key}, so no ganflow wrote it: name another checkpoint"
            )
        return self.tree[key]

    def of(self, key: str, kind: type[T]) -> T:
        """Return what is there under a key, which is of that type and of none derived from it, such as bool."""
        value: T = self.has(key)
        if type(value) is not kind:
            raise self.senseless(key)
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found: list[Any] = self.of(key, list)
        if not all(isinstance(each, str) for each in found):
            raise self.senseless(key)
        return tuple(found)

    def config(self) -> dict[str, Any]:
        """Return the configuration, of which no more is asked than that it has sections."""
        found: dict[str, Any] = self.of("config", dict)
        if not isinstance(found.get("network", {}), dict):
            raise self.senseless("config.network")
        return found

    def warm_start(self) -> WarmStartRecord | None:
        """Return the record of a warm start, of which the oldest headers say nothing."""
        if self.tree.get("warm_start") is None:
            return None
        record = _Tree(self.of("warm_start", dict), self.name, "warm_start.")
        return WarmStartRecord(
            version=record.of("version", int),
            run_id=record.of("run_id", str),
            dataset_md5=record.of("dataset_md5", str),
        )

    def senseless(self, key: str) -> HeaderError:
        """Return the error that says so of what is there under a key."""
        return HeaderError(
            f"the header of {self.name} says nothing sensible as {self.within}{key}: name another checkpoint"
        )


def require_same_networks(found: Header, wanted: Header, name: str) -> None:
    """Refuse to begin a run with another run's networks where their shapes differ.

    Args:
        found: of the checkpoint to begin with.
        wanted: of the run.
        name: what the checkpoint is called in the sentence.

    Raises:
        CheckpointError: the first key that differs, with both values.
    """
    if difference := first_difference(found.networks(), wanted.networks()):
        key, there, here = difference
        raise CheckpointError(
            f"training cannot start from {name}: its {key} is {there} but this run's is {here}: "
            "train without a warm start, or with the configuration of that model"
        )


def first_difference(found: Any, wanted: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the first key, in the order of `wanted`, where two JSON trees differ, and its values; None: they agree."""
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return None if found == wanted else (path, found, wanted)
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        difference = first_difference(found.get(key), wanted.get(key), f"{path}.{key}" if path else key)
        if difference:
            return difference
    return None
