import builtins
import errno
import os
import sys

import pytest

from ipctui.kernel import libc, machine
from ipctui.kernel.machine import capabilities

from .conftest import open_here


def by_name() -> dict[str, machine.Capability]:
    found = capabilities()
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def test_each_detail_is_one_line() -> None:
    for one in capabilities():
        assert one.detail
        assert "\n" not in one.detail
        assert one.available is False or one.remedy is None


@pytest.mark.real
def test_it_leaves_nothing_open() -> None:
    before = open_here()
    capabilities()
    assert open_here() == before


@pytest.mark.real
def test_it_agrees_with_the_kernel() -> None:
    found = by_name()
    assert found["system"].available
    assert os.uname().release in found["system"].detail
    with open("/proc/sys/fs/pipe-max-size") as file:
        assert file.read().strip() in found["pipes"].detail
    assert found["/dev/shm"].available == os.access("/dev/shm", os.W_OK)


@pytest.mark.real
def test_a_refusal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(libc, "pidfd_getfd", refuse)
    monkeypatch.setattr(libc, "tee", refuse)
    before = open_here()
    found = by_name()
    assert open_here() == before
    for name in ("pidfd_getfd", "tee"):
        assert not found[name].available
        assert "EPERM" in found[name].detail
        assert found[name].remedy
    assert found["memfd_create"].available


def test_without_proc_and_without_the_calls_it_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def no_proc(path: object, *arguments: object, **options: object) -> object:
        if str(path).startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", no_proc)
    for name in ("memfd_create", "eventfd", "pidfd_open"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    libc._function.cache_clear()
    try:
        found = by_name()
    finally:
        libc._function.cache_clear()
    for name in ("system", "memfd_create", "pidfd_getfd", "tee", "/proc/self/syscall", "pipes"):
        assert not found[name].available, name


@pytest.mark.parametrize(("scope", "available"), [("0", True), ("1", True), ("2", False), ("3", False), ("9", False)])
def test_yama(monkeypatch: pytest.MonkeyPatch, scope: str, available: bool) -> None:
    monkeypatch.setattr(machine, "_setting", lambda path: scope)
    found = machine._yama("ptrace_scope")
    assert found.available is available
    assert found.detail.startswith(scope)
