"""Ends in MLflow the runs of killed processes; `ganflow up` runs this as a program when it has seen one.

It is a process of its own, for MLflow takes seconds to import; what goes wrong is only told, in its log.
"""

import logging

from tasks.runtime.settings import Settings
from tasks.tracking.client import end_abandoned_runs


def main() -> None:
    """End them, and say which."""
    logging.basicConfig(level=logging.INFO)
    log = logging.getLogger("ganflow")
    try:
        for run_id in end_abandoned_runs(Settings()):
            log.info("the process of run %s was killed: the run is set to KILLED", run_id)
    except Exception:
        log.exception("MLflow's runs could not be looked at: the next training tries again")


if __name__ == "__main__":
    main()
