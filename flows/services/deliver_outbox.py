"""Sends and records what an ingest could not; `ganflow up` runs this as a program when its servers answer.

It is a process of its own, for Prefect's client takes seconds to import; what goes wrong is only told, in its log.
"""

import logging

from filelock import Timeout

from tasks.ingest.ledger import deliver_outbox
from tasks.ingest.run import INGEST_LOCK
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings


def main() -> None:
    """Deliver the outbox, unless an ingest is at work, which does so itself."""
    logging.basicConfig(level=logging.INFO)
    log, settings = logging.getLogger("ganflow"), Settings()
    try:
        with hold_lock(settings.state_dir / INGEST_LOCK, timeout=0):
            deliver_outbox(settings, log.warning)
    except Timeout:
        log.info("an ingest is at work, which delivers the outbox")
    except Exception:
        log.exception("the outbox could not be delivered: the next ingest or start of `ganflow up` tries again")


if __name__ == "__main__":
    main()
