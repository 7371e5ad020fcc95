"""Ray Train's trainer without the processes that a training here has no use for."""

from typing import Any

from ray.train.torch import TorchTrainer

# Matched by name: with a Ray that calls them otherwise a training is slower, and nothing else.
_SHARES_OUT_RAY_DATA = "DatasetsCallback"
_FREES_NODES_OF_A_DEAD_CONTROLLER = "PlacementGroupCleanerCallback"


class LeanTrainer(TorchTrainer):
    """A `TorchTrainer` that starts no process for Ray Data and, on one machine, none that outlives the training.

    Each takes two seconds of a core to load its libraries, while the workers wait or train their first images, and
    looks around a hundred times a second from then on.

    Args:
        on_cluster: whether Ray outlives this process.
        options: of `TorchTrainer`.
    """

    def __init__(self, *arguments: Any, on_cluster: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._useless = {_SHARES_OUT_RAY_DATA} | (set() if on_cluster else {_FREES_NODES_OF_A_DEAD_CONTROLLER})

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()  # type: ignore[misc]
        return [each for each in callbacks if type(each).__name__ not in self._useless]
