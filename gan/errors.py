"""Errors that a user can cause and mend; each message is one sentence: what is wrong, where, what to do."""

from gan.text.shown import shown


class GanflowError(Exception):
    """Base of every error that ganflow explains instead of showing a traceback.

    `exit_status` is what the command line returns: 1, the work failed; 2, the input was wrong; 75, try again, for a
    service is away. `transient` says whether the same work may succeed if it is tried again in a moment. Whatever a
    path or a library's message brings along, the sentence stays one line of printable text without passwords and
    tokens.
    """

    exit_status = 1
    transient = False

    def __init__(self, sentence: str = "") -> None:
        super().__init__(shown(sentence))  # here, for tracebacks and records take it from `args` too


class InputError(GanflowError):
    """Something the user typed or pointed at is wrong, and nothing was done."""

    exit_status = 2


class ConfigError(InputError):
    """A preset, a key or a combination of settings that cannot work."""


class DatasetError(InputError):
    """A source, a dataset folder or a shard that is missing, empty or broken."""


class LabelError(InputError):
    """A class label that the model does not know."""


class WeightsError(InputError):
    """The feature network's weights cannot be found or have the wrong hash."""


class PromotionRefusedError(GanflowError):
    """A version that was to become champion, and that the gate has refused."""


class ServiceError(GanflowError):
    """A service that does not answer, answers as something else, or did not start; later the same command may do."""

    exit_status = 75  # EX_TEMPFAIL of sysexits.h, which service managers know
    transient = True


class OutOfPatienceError(ServiceError):
    """A service that was waited for long enough: later the same command may do, a moment later it would not."""

    transient = False


class BudgetSpentError(GanflowError):
    """A training whose time was over before its end; it goes on from its checkpoint when it is asked for again."""

    exit_status = 75

    def __init__(self, sentence: str = "", run_id: str = "", cur_nimg: int = 0, total_nimg: int = 0) -> None:
        super().__init__(sentence)
        self.run_id, self.cur_nimg, self.total_nimg = run_id, cur_nimg, total_nimg


class ReadError(GanflowError):
    """What lies decoded on a disk cannot be read any more; who begins again looks at it first, and decodes it anew."""

    transient = True


class ModelNotFoundError(InputError):
    """The registry has no such model, version or alias."""


class UnsafeModelError(InputError):
    """A model's file that holds more than tensors and a graph, and so might run code of whoever wrote it."""


class TruncationError(InputError):
    """A registered program whose network cannot be had, and so nothing between its input and its pixels."""


class ReleaseError(InputError):
    """A release that exists with other settings, or whose files do not match its manifest."""


class ReleaseRefusedError(GanflowError):
    """A release that its checks found unfit to be handed on; it lies in quarantine, and was not published."""


class ProtocolMismatchError(InputError):
    """Two evaluations that were made under different protocols and so cannot be compared."""


class CheckpointError(GanflowError):
    """A checkpoint that is missing, incomplete or of another configuration."""


class NonFiniteLossError(GanflowError):
    """A loss or gradient became NaN or infinite; the optimiser step was not taken."""


class ResourcesError(GanflowError):
    """The cluster is smaller than what was asked for, or a disk has no room for what is to be written."""
