"""What is said of a cluster before Ray is asked, and how its nodes are called."""

import socket

import pytest

from tasks.doctor import cluster
from tasks.doctor.cluster import cluster_checks, node_names
from tasks.runtime.settings import Settings


def test_nodes_of_one_address_are_told_apart():
    nodes = [
        {"NodeManagerAddress": "10.0.0.1", "NodeID": "aaaa1"},
        {"NodeManagerAddress": "10.0.0.2", "NodeID": "bbbb1"},
        {"NodeManagerAddress": "10.0.0.1", "NodeID": "cccc1"},
    ]
    assert node_names(nodes) == ["10.0.0.1/aaaa", "10.0.0.2", "10.0.0.1/cccc"]


def test_a_head_that_does_not_answer_is_not_waited_for_by_ray(monkeypatch):
    monkeypatch.setattr(cluster, "REACH_SECONDS", 5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        (check,) = cluster_checks(Settings(ray_address=address), {})
    assert check.ok is False
    assert address in check.value


@pytest.mark.parametrize(("lets_in", "asks"), [(True, False), (False, True), (None, None)])
def test_who_has_no_token_is_let_in_where_none_is_asked_for(monkeypatch, lets_in, asks):
    given = []
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    monkeypatch.setattr(cluster, "_lets_in", lambda address, environment: given.append(environment) or lets_in)
    assert cluster.asks_for_token("a:1") is asks
    assert given[0]["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN" not in given[0]


def test_a_head_that_wants_another_token_is_said(monkeypatch):
    monkeypatch.setattr(cluster, "_lets_in", lambda address, environment: False)
    (check,) = cluster_checks(Settings(ray_address="a:1"), {})
    assert check.ok is False
    assert "RAY_AUTH_TOKEN" in check.remedy
