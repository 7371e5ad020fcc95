"""The page about a search, one file that stands alone, and the table of its trials."""

from tasks.reports.bars import number
from tasks.reports.charts import FRAME, Curve, plot
from tasks.reports.page import render
from tasks.tune.outcome import Tuned
from tasks.tune.runs import TrialRecord


def trial_rows(tuned: Tuned) -> list[dict[str, str]]:
    """Return a row for each trial, lowest KID first: what it changed, how far it came, its best score, its end."""
    return [_row(each) for each in sorted(tuned.trials, key=_lowest)]


def _lowest(trial: TrialRecord) -> float:
    return trial.best.kid if trial.best else float("inf")


def _row(trial: TrialRecord) -> dict[str, str]:
    best = trial.best
    interval = f"{best.low:.4f} to {best.high:.4f}" if best and best.low is not None and best.high is not None else ""
    return {
        "trial": str(trial.number),
        "changes": ", ".join(trial.changes) or "the preset itself",
        "kimg": f"{trial.kimg:g}",
        "KID": number(best.kid) if best else "–",
        "interval": interval,
        "end": {"finished": "at the end", "stopped": "stopped early", "failed": "failed"}[trial.outcome],
    }


def tuning_html(tuned: Tuned) -> str:
    """Describe a search; nothing of the time or place goes in."""
    curves = [
        Curve(f"trial {each.number}", [mark.kimg for mark in each.marks], [mark.kid for mark in each.marks])
        for each in tuned.trials
    ]
    best = {f"trial {each.number}": each.best.kimg for each in tuned.trials if each.best}
    plots = [plot(curve, best[curve.name]) for curve in curves if curve.values]
    return render("tuning.html", tuned=tuned, rows=trial_rows(tuned), plots=list(filter(None, plots)), frame=FRAME)
