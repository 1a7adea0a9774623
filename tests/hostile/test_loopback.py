"""What a local Ray starts can be reached from this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import psutil
import pytest

import drivers
from drivers import Driver

pytestmark = [pytest.mark.hostile, pytest.mark.ray, pytest.mark.timeout(280)]

DASHBOARD = "dashboard"


@pytest.fixture(params=[(), ("--ray-dashboard",)], ids=["plain", DASHBOARD])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """A worker trains."""
    sweep = drivers.write_spec(tmp_path, runs=2, epochs=2000)
    home, more = tmp_path / "home", request.param
    with Driver(sweep.spec, home, executor="ray", slots=1, more=more) as started:
        started.wait_until(lambda: bool(drivers.finished_epochs(home / "runs")), seconds=300)
        yield started


def listeners(driver: Driver) -> dict[tuple[str, str, int], bool]:
    """Every socket that takes what others send, by process, address and port: is it on loopback?"""
    found = {}
    for process in [psutil.Process(driver.process.pid), *driver.children()]:
        for connection in process.net_connections(kind="inet"):
            datagrams = connection.type == socket.SOCK_DGRAM
            if connection.status == psutil.CONN_LISTEN or (datagrams and not connection.raddr):
                address, port = connection.laddr
                found[process.name(), address, port] = is_loopback(address)
    return found


def is_loopback(address: str) -> bool:
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped.is_loopback
    return ip.is_loopback


def test_every_server_of_a_local_ray_listens_on_loopback_alone(driver, request):
    found = listeners(driver)
    names = {name for name, _, _ in found}
    assert driver.process.poll() is None, driver.output()
    # Those that would be reachable from elsewhere if Ray were left to itself.
    assert {"gcs_server", "raylet"} <= names
    assert any("ray::Slot" in name for name in names)
    if DASHBOARD in request.node.callspec.id:
        assert any(port == 8265 for _, _, port in found)
    assert [listener for listener, local in found.items() if not local] == []
