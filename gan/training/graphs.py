"""The gradients of a step as CUDA graphs: computed as usual at first, then recorded once, and replayed from then on.

A graph is all that a stream was given, at the addresses of then: to replay it is one launch, without Python. So nothing
of the host may be in it. Images, draws and settings are copied into tensors that stay; weights are where they were, for
optimizers change them in place. What goes by numbers of the host stays outside: Adam, whose betas follow a schedule and
are no tensors to a fused one, the average of G, and sums over workers.
"""

import contextlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from gan.text.shown import reason_of

T = TypeVar("T")

WARM = 2
"""Times that something is computed as usual first: libraries look for kernels, and take what they need for good."""


class RecordingError(Exception):
    """What was to be recorded cannot be; the sentence says why."""


class Recorder(Protocol):
    """What records."""

    def warm(self, compute: Callable[[], T]) -> T:
        """Compute something as usual, where it will be recorded."""

    def record(self, compute: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """Return the tensors that it gives, without values yet, and what computes these, as often as it is called."""


class CudaRecorder:
    """Records CUDA graphs, which share their memory: of two of them the later may use what the earlier has done with.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        # of its own: PyTorch remembers where a weight was first used, and the usual stream must not be in a recording
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def warm(self, compute: Callable[[], T]) -> T:
        """As `Recorder.warm`."""
        usual = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(usual)
        with torch.cuda.stream(self.stream):
            found = compute()
        usual.wait_stream(self.stream)
        return found

    def record(self, compute: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        """As `Recorder.record`."""
        graph, usual = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.stream.device)
        try:
            # other threads, which read images or watch over sums, may go on as they like
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                found = compute()
        except BaseException:
            # a recording that was spoilt ends with an error, and PyTorch then leaves all as it was amid it
            torch.cuda.set_stream(usual)
            with contextlib.suppress(Exception):
                torch._C._cuda_endAllocateToPool(self.stream.device.index, self.pool)
            raise
        return found, graph.replay


@dataclass
class _Part:
    """A part of a step.

    Attributes:
        inputs: where it finds its inputs.
        found: what it gives.
        replay: computes it; None until it is recorded.
        computed: times, as usual.
    """

    inputs: list[Tensor] = field(default_factory=list)
    found: Any = None
    replay: Callable[[], None] | None = None
    computed: int = 0


class Graphs:
    """The parts of a step that are recorded, by what tells them apart.

    What a part gives is overwritten when the same part is computed again.

    Args:
        recorder: of the device.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._parts: dict[Hashable, _Part] = {}

    @property
    def settled(self) -> bool:
        """Whether all that has come until now is recorded."""
        return all(part.replay is not None for part in self._parts.values())

    def run(self, key: Hashable, inputs: Sequence[Tensor], compute: Callable[[Sequence[Tensor]], T]) -> T:
        """Compute a part.

        Args:
            key: what it is, with everything of the host that decides what it does.
            inputs: of the shapes and strides that this part always has.
            compute: does it, from inputs, of which it changes none.

        Raises:
            RecordingError: it cannot be recorded; nothing was computed.
            OutOfMemoryError: there is no room.
        """
        part = self._parts.setdefault(key, _Part())
        if part.replay is None and part.computed < WARM:
            part.computed += 1
            return self.recorder.warm(lambda: compute(inputs))
        if part.replay is None:
            part.inputs = [each.clone() for each in inputs]
            part.found, part.replay = self._recorded(lambda: compute(part.inputs))
        if part.inputs:  # as data: what autograd keeps of them is as good as new when all is replayed
            torch._foreach_copy_([each.data for each in part.inputs], list(inputs))
        part.replay()
        found: T = part.found
        return found

    def _recorded(self, compute: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        try:
            return self.recorder.record(compute)
        except RuntimeError as error:
            if (full := _out_of_memory(error)) is not None:
                raise full from None
            raise RecordingError(reason_of(str(_first(error)).partition("\n")[0])) from error


def _first(error: BaseException) -> BaseException:
    """What spoilt a recording, behind what its end then raised."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    return error


def _out_of_memory(error: BaseException | None) -> torch.OutOfMemoryError | None:
    """What filled the memory while something was recorded, behind what the end of the recording then raised."""
    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__context__
    return error
