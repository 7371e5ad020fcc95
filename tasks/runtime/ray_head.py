"""The head of the Ray cluster that this process is connected to, asked in a way that comes back whatever became of it.

Ray itself waits a minute for a head that is gone and then ends the process without a word; for one that was started
anew it waits for ever, or, where it is asked for its nodes meanwhile, aborts.
"""

import time
from typing import Any

from gan.errors import ServiceError
from gan.text.shown import reason_of

ANSWER_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""As long as the nodes' own Rays wait for a head, before they end themselves."""
RAYS_PATIENCE = {"RAY_gcs_rpc_server_reconnect_timeout_s": "150"}
"""Ray's own for this process: longer, so that there is time for a sentence and for what is to be written down."""
LOST = "what ran on it is lost, what lies in the storage is not"
_ANOTHER = "WrongClusterID"


def living_nodes() -> list[dict[str, float]]:
    """Return the resources of each node that lives, as in [{"CPU": 2.0}].

    Raises:
        Exception: the head does not answer.
    """
    from ray.core.generated.gcs_pb2 import GcsNodeInfo  # type: ignore[attr-defined]

    found = _client().get_all_node_info(timeout=ANSWER_SECONDS).values()
    return [dict(node.resources_total) for node in found if node.state == GcsNodeInfo.ALIVE]


class HeadWatch:
    """Tells a head that stalls from one that is gone."""

    def __init__(self) -> None:
        self._heard = time.monotonic()

    def look(self, patience: float = PATIENCE_SECONDS) -> None:
        """Ask the head for a sign of life.

        Args:
            patience: seconds that it may be silent.

        Raises:
            ServiceError: it was silent for longer, or another one answers in its place.
        """
        if (client := _client()) is None:
            return
        try:
            client.internal_kv_get(b"session_name", b"session", timeout=ANSWER_SECONDS)
        except Exception as error:
            if _ANOTHER in str(error):
                raise ServiceError(f"the head of the Ray cluster was started anew: {LOST}") from error
            if time.monotonic() - self._heard > patience:
                raise ServiceError(
                    f"the head of the Ray cluster does not answer any more ({reason_of(error)}): {LOST}"
                ) from error
        else:
            self._heard = time.monotonic()


def _client() -> Any:
    """Return the connection that Ray itself has, with the token; None where Ray is spoken with through a proxy."""
    from ray._private.worker import global_worker

    return getattr(global_worker, "gcs_client", None)
