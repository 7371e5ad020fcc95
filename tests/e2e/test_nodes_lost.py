"""An elastic training on two hosts, of which one dies, loses its network for a moment, and comes back late."""

import random
import tempfile
import time

import pytest
from drilling.commands import Command, until
from drilling.homes import home_with_digits
from drilling.hosts import HEAD, OTHER, two_hosts
from drilling.ledger import Ledger

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
IMAGES = 48000
WORDS = ("--preset", "debug", "--set", f"train.total_kimg={IMAGES / 1000}", "--set", "train.checkpoint_kimg=2")
FAULTS = ("killed", "cut", "killed for long")
BATCH = 32
SEED = 0


def on_two_nodes(ledger, begun):
    """Whether workers began after that, and the newest of them share their steps."""
    groups = ledger.groups()
    return len(groups) > begun and len({each.first % BATCH for each in groups[-1]}) > 1


def alone(ledger, begun):
    """Whether workers began after that, and the newest is a single one, some steps further."""
    groups = ledger.groups()
    return len(groups) > begun and sum(each.last - each.first == BATCH for each in groups[-1]) > 20


def test_nodes_that_go_and_come_leave_no_image_out(tmp_path):
    home_with_digits(tmp_path / "home", tmp_path)
    draws, ledger = random.Random(SEED), Ledger(tmp_path / "ledger")
    # a socket's path is short
    with two_hosts(**ledger.environment) as hosts, tempfile.TemporaryDirectory(prefix="gf") as sessions:
        hosts.start_head(tmp_path / "head.log", sessions)
        hosts.start_node(tmp_path / "node.log")
        place = {"GANFLOW_HOME": str(tmp_path / "home"), "RAY_ADDRESS": f"{HEAD}:6379"}
        training = Command(
            tmp_path,
            "train",
            *WORDS,
            "--workers",
            "1:2",
            "--json",
            environment=hosts.environment | place,
            before=tuple(hosts.command(HEAD)),
        )
        try:
            begun = 0
            for fault in FAULTS:
                until(lambda: on_two_nodes(ledger, begun), training)  # noqa: B023
                goal = ledger.steps() + draws.randint(10, 120)
                until(lambda: ledger.steps() >= goal, training)  # noqa: B023
                assert not training.ended, training.said()
                if fault == "cut":
                    hosts.cut(OTHER)
                    time.sleep(draws.uniform(3, 10))
                    hosts.join(OTHER)
                    continue
                begun = len(ledger.groups())
                assert hosts.kill(OTHER) > 3
                if fault == "killed for long":
                    until(lambda: alone(ledger, begun), training)  # noqa: B023
                else:
                    time.sleep(draws.uniform(1, 10))
                hosts.start_node(tmp_path / "node.log")
            result = training.result()
        finally:
            training.end()
        hosts.remove()
    figures = ledger.require_each_image_once(IMAGES)
    print(f"\n{FAULTS}: {figures}\n{training.said()}")  # noqa: T201
    assert result["end_nimg"] == IMAGES
    assert figures["starts"] >= 3
    assert figures["count"] >= IMAGES // BATCH
