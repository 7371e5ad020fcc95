"""The page about one decision of the gate: what became of a candidate, reason by reason; one file that stands alone."""

from gan.evaluation.gate import Decision
from tasks.reports.page import render


def decision_html(version: int, alias: str, verdict: Decision) -> str:
    """Describe a decision; nothing of the time or place goes in.

    Args:
        version: the candidate's number.
        alias: what it is now.
        verdict: the decision.
    """
    return render("decision.html", version=version, alias=alias, verdict=verdict)
