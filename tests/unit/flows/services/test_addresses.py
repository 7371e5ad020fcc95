"""Which names servers answer by; ports that are taken."""

import socket

import psutil
import pytest
from mlflow.server.security_utils import is_allowed_host_header

from flows.services.addresses import is_loopback, mlflow_access, origins, require_free_port
from gan.errors import InputError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1"])
def test_what_other_machines_cannot_reach(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "gpu-7", "localhost.evil.example", "127.0.0.1.evil", ""])
def test_what_they_can_reach_or_might(host):
    assert not is_loopback(host)


def hosts_of(host, port=5000):
    options = mlflow_access(host, port)
    assert options[::2] == ["--allowed-hosts", "--cors-allowed-origins"]
    hosts, pages = (option.split(",") for option in options[1::2])
    assert pages == [f"http://{name}" for name in hosts]
    return hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "gpu-7", "0.0.0.0", "::"])
def test_mlflow_answers_by_exact_names_alone(host):
    hosts = hosts_of(host)
    assert not any("*" in name for name in hosts)
    for foreign in ("10.evil.example:5000", "192.168.evil.example:5000", "172.16.evil:5000", "evil.example:5000", ""):
        assert not is_allowed_host_header(hosts, foreign)


def test_a_server_for_this_machine_answers_by_its_two_names():
    assert hosts_of("127.0.0.1") == ["127.0.0.1:5000", "localhost:5000"]
    assert hosts_of("::1") == ["[::1]:5000", "localhost:5000"]
    assert hosts_of("127.0.0.1", 80) == ["127.0.0.1", "localhost"]  # as browsers write it


def test_a_server_for_all_answers_by_every_address_of_this_machine():
    addresses = {
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == socket.AF_INET
    }
    assert {f"http://{address}:4200" for address in addresses} < set(origins("0.0.0.0", 4200))
    assert f"http://{socket.gethostname()}:4200" in origins("0.0.0.0", 4200)
    assert all("[" not in origin for origin in origins("0.0.0.0", 4200))
    assert set(origins("0.0.0.0", 4200)) <= set(origins("::", 4200))
    assert not any("%" in origin for origin in origins("::", 4200))
    assert origins("gpu-7", 4200) == ["http://gpu-7:4200"]


def test_a_taken_port_is_named_with_its_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} .*--mlflow-port"):
            require_free_port("127.0.0.1", port, "--mlflow-port")
    require_free_port("127.0.0.1", port, "--mlflow-port")
