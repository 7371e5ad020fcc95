"""Ray Train's trainer without the processes and threads that a training here has no use for."""

from typing import Any

from ray.train.backend import Backend
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.execution.scaling_policy.fixed import FixedScalingPolicy

# Matched by name: with a Ray that calls them otherwise a training is slower, and nothing else.
_SHARES_OUT_RAY_DATA = "DatasetsCallback"
_FREES_NODES_OF_A_DEAD_CONTROLLER = "PlacementGroupCleanerCallback"


class LeanTrainer(TorchTrainer):
    """A `TorchTrainer` that starts no process for Ray Data and, on one machine, none that outlives the training.

    Each takes two seconds of a core to load its libraries, while the workers wait or train their first images, and
    looks around a hundred times a second from then on.

    Args:
        on_cluster: whether Ray outlives this process, and may be given more nodes.
        options: of `TorchTrainer`.
    """

    def __init__(self, *arguments: Any, on_cluster: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._useless = {_SHARES_OUT_RAY_DATA} | (set() if on_cluster else {_FREES_NODES_OF_A_DEAD_CONTROLLER})
        self._asks_for_nodes = on_cluster or self.scaling_config.elasticity_enabled  # type: ignore[attr-defined]

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()  # type: ignore[misc]
        return [each for each in callbacks if type(each).__name__ not in self._useless]

    def _initialize_and_run_controller(self, **options: Any) -> Any:
        if not self._asks_for_nodes:
            options["scaling_policy"] = AsManyAsSaid(self.scaling_config)  # type: ignore[arg-type]
        return super()._initialize_and_run_controller(**options)  # type: ignore[misc]


class AsManyAsSaid(FixedScalingPolicy):
    """So many workers, for which nobody is asked for nodes: the process that would be asked is started for that."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Ask for nothing."""

    def _maybe_send_resource_request(self) -> None:
        pass


class Alone(TorchConfig):
    """Of a worker that is alone: without a process group, whose thread would look around a hundred times a second."""

    @property
    def backend_cls(self) -> type[Backend]:
        """One that does nothing."""
        return Backend
