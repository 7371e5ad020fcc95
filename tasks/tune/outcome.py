"""What a search ends with: its trials, the winner against the preset, and the command that trains it."""

import shlex
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from gan.configuration.provenance import Configuration
from tasks.tune.judge import Judged
from tasks.tune.runs import TrialRecord


class Tuned(BaseModel):
    """A search that came to its end; the artifact `winner.json` of its run.

    Attributes:
        run_id: of the search; the runs of its trials lie below it.
        preset: what it began as.
        kimg: length of a trial.
        dataset_md5: what was trained on.
        trials: by number; 0 is the preset itself.
        candidate: number of the trial of lowest KID that came to its end, the preset aside; None where none did.
        judged: that one against the preset on fresh seeds; None where there is no candidate.
        beats: whether it is better by more than chance.
        changes: of the preset that are worth training with; none but the person's own where it does not.
        command: that trains the winner.
        verdict: the outcome in a sentence.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    preset: str
    kimg: float
    dataset_md5: str
    trials: tuple[TrialRecord, ...]
    candidate: int | None
    judged: Judged | None
    beats: bool
    changes: tuple[str, ...]
    command: str
    verdict: str


def candidate_of(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial of lowest KID that came to its end, the preset aside."""
    ended = [each for each in trials if each.number and each.outcome == "finished" and each.kid is not None]
    return min(ended, key=lambda each: each.kid or 0.0, default=None)


def outcome_of(
    configuration: Configuration,
    run_id: str,
    kimg: float,
    dataset_md5: str,
    trials: Sequence[TrialRecord],
    judged: Judged | None,
) -> Tuned:
    """Put together what came of a search.

    Args:
        configuration: as the person gave it.
        run_id: of the search.
        kimg: length of a trial.
        dataset_md5: what was trained on.
        trials: what became of each.
        judged: the candidate against the preset; None where there is no candidate.
    """
    candidate = candidate_of(trials)
    beats = judged is not None and judged.beats
    changes = (*configuration.changes, *(candidate.changes if candidate and beats else ()))
    return Tuned(
        run_id=run_id,
        preset=configuration.name,
        kimg=kimg,
        dataset_md5=dataset_md5,
        trials=tuple(trials),
        candidate=candidate.number if candidate else None,
        judged=judged,
        beats=beats,
        changes=changes,
        command=retrain_line(configuration.name, changes),
        verdict=verdict(candidate.number if candidate else None, judged),
    )


def retrain_line(preset: str, changes: Sequence[str]) -> str:
    """Return the command that trains a preset with changes, as a shell takes it."""
    sets = [word for change in changes for word in ("--set", change)]
    return shlex.join(["ganflow", "retrain", "--preset", preset, *sets])


def verdict(candidate: int | None, judged: Judged | None) -> str:
    """Say whether a trial beats the preset, by how much, and how sure that is."""
    if candidate is None or judged is None:
        return "no other trial came to its end: nothing beats the preset"
    by = judged.difference
    measured = f"on {judged.images} fresh seeds KID {judged.winner.value:.4f} against {judged.preset.value:.4f}"
    ends = [] if by.low is None or by.high is None else [by.low, by.high]
    if judged.beats:
        within = " to ".join(f"{-end:.4f}" for end in reversed(ends))
        return f"trial {candidate} beats the preset by {-by.value:.4f}{f' ({within})' if within else ''}: {measured}"
    within = " to ".join(f"{end:+.4f}" for end in ends)
    return (
        f"trial {candidate} does not beat the preset by more than chance (difference {by.value:+.4f}"
        f"{f', {within}' if within else ''}): {measured}"
    )
