"""A studio in a process of its own: requests to it, and its memory."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Client:
    """Requests to a studio in another process."""

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"http://([^:/]+):(\d+)/\?token=(.*)", url)
        assert found is not None
        self.url, self.host, self.port, self.token = url, found[1], int(found[2]), found[3]

    def raw(self, method: str, target: str, body: Any = None, headers: Any = None) -> tuple[int, bytes]:
        """One request: status and body."""
        import http.client

        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            given = {"cookie": f"celesta_studio_{self.port}={self.token}", **(headers or {})}
            connection.request(method, target, body, given)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextlib.contextmanager
def studio(*sources: Path, options: tuple[str, ...] = ()) -> Iterator[tuple[Client, int]]:
    """A studio in a process of its own: its client and the process's number."""
    words = [sys.executable, "-m", "celesta.cli.main", "studio", *map(str, sources), "--no-browser", "--json", *options]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "CELESTA_CACHE": cache}
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert process.stdout is not None
            yield Client(json.loads(process.stdout.readline())["url"]), process.pid
        finally:
            process.terminate()
            process.wait(20)


def resident(pid: int) -> float:
    """Memory of a process in MB, what it shares counted in part."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+)", text, re.M)
    return int(found[1]) / 1024 if found else 0.0
