"""The application's end of the launcher: it is started, told what to start, and heard."""

from __future__ import annotations

import json
import math
import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_BOOT = "import sys; sys.path[:] = {path!r}; sys.argv[1:] = [{fd!r}]; from ipctui.worker.launcher import main; main()"


_PATIENCE = 15.0
"""Seconds that the launcher gets to end everybody and take the names away; after that it is killed."""


class LauncherError(Exception):
    """The launcher could not be started or has died; one line why."""


class LauncherClient:
    """One launcher process. Start it before anything that starts threads, and before the terminal is drawn on.

    Raises:
        LauncherError: no process could be started.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        boot = _BOOT.format(path=[os.path.abspath(entry or ".") for entry in sys.path], fd=str(theirs.fileno()))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise LauncherError(f"the launcher could not be started: {error.strerror}") from None
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._socket = ours
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        self._heard: list[dict[str, Any]] = []

    def tell(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one request.

        Raises:
            LauncherError: the launcher is gone.
        """
        try:
            socket.send_fds(self._socket, [json.dumps(message).encode()], list(fds))
        except OSError as error:
            raise LauncherError(f"the launcher is gone: {error.strerror}") from None

    def hear(self, seconds: float = 0.0) -> list[dict[str, Any]]:
        """What the launcher has said since, waiting at most `seconds` for the first of it.

        Raises:
            LauncherError: the launcher has died.
        """
        heard, self._heard = self._heard, []
        if self._socket.fileno() < 0:
            raise LauncherError("the launcher has ended")
        # Asked thirty times a second, and there is next to never anything: a failed recv costs ten times a poll.
        while self._poll.poll(0 if heard else math.ceil(seconds * 1000)):
            try:
                raw = self._socket.recv(65536)
            except OSError:
                raw = b""
            if not raw:
                if heard:
                    return heard
                raise LauncherError("the launcher has died")
            heard.append(json.loads(raw))
        return heard

    def expect(self, word: str, seconds: float) -> dict[str, Any]:
        """Wait for a message that has this key, keeping the others for `hear`.

        Raises:
            LauncherError: it did not come, or the launcher died, or it said that it failed.
        """
        kept: list[dict[str, Any]] = []
        found: dict[str, Any] | None = None
        while found is None:
            heard = self.hear(seconds)
            if not heard:
                raise LauncherError(f"the launcher did not answer within {seconds:g} s")
            for message in heard:
                if "failed" in message:
                    raise LauncherError(message["failed"])
                if found is None and word in message:
                    found = message
                else:
                    kept.append(message)
        self._heard = kept
        return found

    def keep_terminal(self, fd: int) -> None:
        """Let the launcher give this terminal back in order should the application die without a word."""
        self.tell({"op": "terminal"}, [fd])

    def close(self) -> None:
        """End the launcher, and with it every worker and name; returns when it is gone."""
        try:
            self.tell({"op": "bye"})
        except LauncherError:
            pass
        self._socket.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
