"""What is looked at on the nodes of a Ray cluster: an actor on each answers, which takes no CPU from anybody."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from gan.errors import GanflowError, ResourcesError
from gan.text.shown import last_line_of
from tasks.doctor import judge, probe
from tasks.doctor.check import Check, from_error
from tasks.doctor.machine import refused_storage, storage_line, trial_folder
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings

ANSWER_SECONDS = 120
"""That a node has for an answer, a new process on it included."""
REACH_SECONDS = 30
"""That the head has for its first answer, the import of Ray included."""
ROUND_TRIPS = 5
COUNT, SMALL_COUNT = 2**24, 2**18
"""Numbers that are summed over the nodes: 64 MiB, and 1 MiB to see first whether the network can."""
SLOW_SECONDS = 0.5
"""For 1 MiB, from which on the larger sum would take too long."""
_ASK = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1]).get_all_node_info()
except AuthenticationError:
    print("closed")
else:
    print("open")
"""


@dataclass(frozen=True)
class Node:
    """A node and who answers there.

    Attributes:
        name: its address, and what tells it from others of the same.
        gpus: that Ray gives out there.
        actor: a `Probe` on it.
    """

    name: str
    gpus: float
    actor: Any


def cluster_checks(settings: Settings, driver: Mapping[str, Any]) -> list[Check]:
    """Look at the cluster that RAY_ADDRESS names.

    Args:
        settings: of the place.
        driver: `Probe.facts` of this machine.
    """
    if settings.ray_address and ":" in settings.ray_address and "://" not in settings.ray_address:
        refused = reach_check(settings.ray_address)
        if refused is not None:
            return [refused]
    try:
        with ray_cluster(settings):
            return _checks(settings, driver)
    except GanflowError as error:
        return [from_error("Ray", "cluster", error)]


def _checks(settings: Settings, driver: Mapping[str, Any]) -> list[Check]:
    import ray

    known = ray.nodes()  # type: ignore[no-untyped-call]
    living = [node for node in known if node["Alive"]]
    total = {kind: sum(node["Resources"].get(kind, 0) for node in living) for kind in ("CPU", "GPU")}
    names = node_names(living)
    found = [judge.alive(names, len(known) - len(living), total["CPU"], total["GPU"])]
    found.append(judge.token(asks_for_token(ray.get_runtime_context().gcs_address)))
    with _probes(living, names) as nodes:
        facts = {node.name: _ask(node, node.actor.facts.remote()) for node in nodes}
        answering = [node for node in nodes if not isinstance(facts[node.name], Check)]
        for node in nodes:
            told = facts[node.name]
            found += [told] if isinstance(told, Check) else _node_checks(settings, node, told, driver)
        found += _storage_checks(settings, answering)
        found.append(_all_reduce_check(answering))
    return found


def require_equal_versions(*, shipped: bool) -> None:
    """Refuse a cluster, to which this process is connected, of which a node has other code than the driver.

    Args:
        shipped: whether the driver gives the nodes its own.

    Raises:
        ResourcesError: the first such node, what it has, and what to install there.
    """
    import ray

    living = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    driver = probe.Probe().facts()
    with _probes(living, node_names(living)) as nodes:
        answers = [(node, node.actor.facts.remote()) for node in nodes]
        for node, answer in answers:
            told = _ask(node, answer)
            check = told if isinstance(told, Check) else judge.versions(node.name, told, driver, shipped=shipped)
            if check.ok is False:
                raise ResourcesError(f"node {node.name} cannot take part ({check.value}): {check.remedy}")


def node_names(living: list[dict[str, Any]]) -> list[str]:
    """Name nodes by their addresses, with the beginning of Ray's id where several have one address."""
    addresses = [str(node["NodeManagerAddress"]) for node in living]
    return [
        address if addresses.count(address) == 1 else f"{address}/{node['NodeID'][:4]}"
        for address, node in zip(addresses, living, strict=True)
    ]


def reach_check(address: str) -> Check | None:
    """The check of a head that does not answer or let us in, for which Ray itself takes up to a quarter of an hour.

    Args:
        address: host and port.

    Returns:
        None where it does.
    """
    lets_in = _lets_in(address, dict(os.environ))
    if lets_in is None:
        remedy = "start it, let this machine reach that port, or correct or unset RAY_ADDRESS"
        return Check("Ray", "cluster", False, f"no Ray cluster answers at {address}", remedy)
    if not lets_in:
        remedy = "export RAY_AUTH_MODE=token and the RAY_AUTH_TOKEN that its head was started with"
        return Check("Ray", "cluster", False, f"the cluster at {address} asks for another token", remedy)
    return None


def asks_for_token(address: str) -> bool | None:
    """Whether a cluster refuses who has no token; None: it did not say."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    lets_in = _lets_in(address, environment | {"RAY_AUTH_MODE": "disabled"})
    return None if lets_in is None else not lets_in


def _lets_in(address: str, environment: dict[str, str]) -> bool | None:
    """Whether a head answers a process with this environment: Ray reads its token once in each."""
    command = [sys.executable, "-c", _ASK, address]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=REACH_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return {"open": True, "closed": False}.get(done.stdout.strip())


@contextmanager
def _probes(living: list[dict[str, Any]], names: list[str]) -> Iterator[list[Node]]:
    """Start a probe on each node, by the text of its module, and end them all."""
    import ray
    from ray import cloudpickle
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cloudpickle.register_pickle_by_value(probe)  # type: ignore[no-untyped-call]
    try:
        remote = ray.remote(num_cpus=0)(probe.Probe)
        nodes = [
            Node(
                name,
                node["Resources"].get("GPU", 0),
                remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(),
            )
            for node, name in zip(living, names, strict=True)
        ]
    finally:
        cloudpickle.unregister_pickle_by_value(probe)  # type: ignore[no-untyped-call]
    try:
        yield nodes
    finally:
        for node in nodes:
            ray.kill(node.actor)


def _ask(node: Node, reference: Any, name: str = "node") -> Any:
    """Return what a node answers, or the check of one that does not."""
    import ray
    from ray.exceptions import RayError

    try:
        return ray.get(reference, timeout=ANSWER_SECONDS)
    except RayError as error:
        remedy = "look at `ray status` and that node's log (/tmp/ray/session_latest/logs), and start its Ray again"
        return Check(name, node.name, False, f"does not answer ({last_line_of(error)})", remedy)


def _node_checks(settings: Settings, node: Node, facts: dict[str, Any], driver: Mapping[str, Any]) -> list[Check]:
    return [
        judge.versions(node.name, facts, driver, shipped=settings.ganflow_ship_code),
        judge.processor(node.name, facts),
        judge.gpus(node.name, facts, node.gpus),
        judge.memory(node.name, facts),
        *judge.disks(node.name, facts),
        _clock_check(node),
    ]


def _clock_check(node: Node) -> Check:
    """Compare clocks by the quickest of several answers: the node looked at its own within that time."""
    best = (float("inf"), 0.0)
    for _ in range(ROUND_TRIPS):
        before = time.time()
        there = _ask(node, node.actor.clock.remote(), "clock")
        after = time.time()
        if isinstance(there, Check):
            return there
        best = min(best, (after - before, there - (before + after) / 2))
    return judge.clock(node.name, offset=best[1], bound=best[0] / 2)


def _storage_checks(settings: Settings, nodes: list[Node]) -> list[Check]:
    """Have each node read what the driver wrote and write a file, and read all those files here."""
    if refused_storage(settings):  # said of this machine already
        return []
    several = len(nodes) > 1 or settings.on_cluster
    found = []
    with trial_folder(settings) as folder:
        here = partial(probe.Probe().use_storage, settings.storage, folder)
        if here({}, "driver", folder) is not None:
            value = "not looked at: the driver itself cannot use it"
            return [Check("storage", node.name, None, value) for node in nodes]
        for number, node in enumerate(nodes):
            file, text = f"node-{number}", node.name
            written = node.actor.use_storage.remote(settings.storage, folder, {"driver": folder}, file, text)
            told = _ask(node, written, "storage") or here({file: text}, "driver", folder)
            found.append(told if isinstance(told, Check) else storage_line(settings, node.name, told, several=several))
    return found


def _all_reduce_check(nodes: list[Node]) -> Check:
    """Time sums over a process group of all nodes."""
    if len(nodes) < 2:
        return Check("all_reduce", "cluster", None, "not looked at: there is one node")
    import ray
    from ray.exceptions import RayError

    def every(references: list[Any]) -> list[Any]:
        return list(ray.get(references, timeout=ANSWER_SECONDS))

    try:
        (place,) = every([nodes[0].actor.address.remote()])
        every([node.actor.join.remote(*place, rank, len(nodes)) for rank, node in enumerate(nodes)])
        one, small = (
            max(every([node.actor.all_reduce.remote(count, 5) for node in nodes])) for count in (1, SMALL_COUNT)
        )
        count = SMALL_COUNT if small > SLOW_SECONDS else COUNT
        taken = (
            small if count == SMALL_COUNT else max(every([node.actor.all_reduce.remote(COUNT, 3) for node in nodes]))
        )
    except RayError as error:
        remedy = (
            "let the nodes reach each other on all TCP ports (docs/cluster.md), and install torch and psutil on each"
        )
        return Check("all_reduce", "cluster", False, f"the nodes cannot sum ({last_line_of(error)})", remedy)
    return judge.all_reduce(len(nodes), count, taken, one)
