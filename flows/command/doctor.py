"""`ganflow doctor`."""

from typing import TYPE_CHECKING

import typer

from flows.command.console import Answer, read_settings
from flows.command.options import Json
from gan.text.shown import inert, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.doctor.check import Check
    from tasks.runtime.settings import Settings


def doctor(as_json: Json = False) -> None:
    """Look at all that a training would stand on, and say what to do about what is wrong.

    Versions, disks, memory, processors, GPUs, storage, MLflow, Prefect and DVC of this machine; with RAY_ADDRESS
    the same of every node of that cluster, their clocks, the token, and how fast gradients are summed between them.
    Nothing is trained, and no Ray is started. Exit status 1 where something would fail a training.
    """
    answer = Answer()
    settings = read_settings()
    from dataclasses import asdict

    from tasks.doctor.check import all_well
    from tasks.doctor.machine import machine_checks
    from tasks.doctor.probe import Probe

    facts = Probe().facts(str(settings.cache_dir))
    found = [*machine_checks(settings, facts), prefect_check(settings)]
    if settings.on_cluster:
        from tasks.doctor.cluster import cluster_checks

        found += cluster_checks(settings, facts)
    else:
        found.append(_no_cluster())
    well = all_well(found)
    answer.give({"ok": well, "checks": [asdict(check) for check in found]}, check_lines(found), as_json)
    if not well:
        raise typer.Exit(1)


def prefect_check(settings: "Settings") -> "Check":
    """Whether the Prefect server that commands here would use answers them."""
    import os

    from flows.services.discovery import AUTH, answers, up_state
    from flows.services.prefect_api import PrefectApi
    from gan.text.credentials import bare_address
    from tasks.doctor.check import HERE, Check

    exported = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    up = up_state(settings) if settings.state_dir.is_dir() else None
    ours = up is not None and exported in {"", up.prefect_api_url}
    api = up.prefect_api_url if up and ours else exported
    auth = os.environ.get(AUTH) or (up.prefect_auth if up and ours else None)
    if not api:
        return Check("Prefect", HERE, True, "no server is named: each command has one of its own")
    place = bare_address(api)
    if not api.startswith("http://"):
        return Check("Prefect", HERE, None, f"{place} was not asked: only http:// addresses are")
    remedy = "start it, or correct or unset PREFECT_API_URL"
    if not answers(f"{api}/health"):
        return Check("Prefect", HERE, False, f"no server answers at {place}", remedy)
    try:
        refused = PrefectApi(api, auth).refuses()
    except OSError:
        return Check("Prefect", HERE, False, f"the server at {place} broke off its answer", remedy)
    if refused:
        return Check("Prefect", HERE, False, f"{place} asks for a password", f"export it as {AUTH}, name:password")
    return Check("Prefect", HERE, True, f"{place} answers")


def check_lines(found: "Sequence[Check]") -> list[str]:
    """A line for each check, and below it what to do; at the end how many are wrong."""
    rows = [(mark(check), inert(check.name), inert(check.node), shown(check.value)) for check in found]
    names, nodes = (max(len(row[column]) for row in rows) for column in (1, 2))
    lines = []
    for check, (sign, name, node, value) in zip(found, rows, strict=True):
        lines.append(f"{sign} {name.ljust(names)}  {node.ljust(nodes)}  {value}")
        if check.remedy:
            lines.append(f"{' ' * (names + nodes + 6)}→ {shown(check.remedy)}")
    wrong, warned = sum(check.ok is False for check in found), sum(check.warns for check in found)
    return [*lines, f"{wrong} wrong, {warned} to look at, of {len(found)}"]


def mark(check: "Check") -> str:
    """The sign of a check: right, wrong, to look at, or not looked at."""
    if check.ok is None:
        return "–"
    if not check.ok:
        return "✗"
    return "!" if check.warns else "✓"


def _no_cluster() -> "Check":
    from tasks.doctor.check import HERE, Check

    return Check("Ray", HERE, None, "no cluster is named by RAY_ADDRESS: a training starts Ray on this machine")
