"""Steps that were not taken because a gradient was not finite: counted on the device, and looked at when it is time."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gan.errors import NonFiniteLossError
from gan.objective.gradients import Terms


class BadSteps:
    """Counts the steps of a training that were skipped.

    On a GPU nothing here waits for it until `check`; the steps in between have skipped what they had to by themselves.

    Args:
        device: where steps are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self.in_a_row = torch.zeros((), dtype=torch.int64, device=device)
        self.total = torch.zeros_like(self.in_a_row)
        self._first_nimg = torch.zeros_like(self.in_a_row)
        self._names: tuple[str, ...] = ()
        self._what = torch.zeros(0, dtype=torch.bool, device=device)

    def after(self, bad: Mapping[str, Tensor], terms: Terms, cur_nimg: int) -> Terms:
        """Count a step.

        Args:
            bad: by network, whether it took no step: bool scalars, the same on every rank.
            terms: this worker's.
            cur_nimg: images seen before the step.

        Returns:
            The terms, 0 where the step was not taken or one is not finite: it would spoil the means that it is part of.
        """
        values = torch.stack(list(terms.values()))
        finite = values.isfinite()
        flags = torch.stack(list(bad.values()))
        any_bad = flags.any()
        began = any_bad & (self.in_a_row == 0)
        self.in_a_row = torch.where(any_bad, self.in_a_row + 1, 0)
        self.total = self.total + any_bad
        self._first_nimg = torch.where(began, cur_nimg, self._first_nimg)
        self._names, self._what = (*bad, *terms), torch.cat([flags, ~finite])
        return dict(zip(terms, torch.where(finite & ~any_bad, values, 0.0).unbind(), strict=True))

    def check(self, most: int, rank: int) -> int:
        """Wait for the device, and end the run if more than `most` steps in a row were skipped.

        Args:
            most: steps.
            rank: of this worker.

        Returns:
            How many have been skipped since the training began or was resumed.

        Raises:
            NonFiniteLossError: the sentence names what is not finite, and the image at which it began.
        """
        row = int(self.in_a_row)
        if row <= most:
            return int(self.total)
        network, *terms = [name for name, found in zip(self._names, self._what.tolist(), strict=True) if found]
        terms = [name for name in terms if name != "G"]
        # Every rank stops here; one whose own terms are sound must not be blamed.
        where = f"{', '.join(terms)} on rank {rank}" if terms else f"the gradient of {network}"
        steps = "the step was not taken" if row == 1 else f"neither this step nor the {row - 1} after it was taken"
        raise NonFiniteLossError(
            f"{where} became NaN or infinite at image {int(self._first_nimg)} and {steps}: "
            "lower optimizer.lr or raise loss.r1_gamma, then train again"
        )
