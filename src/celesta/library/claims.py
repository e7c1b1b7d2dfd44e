"""Which songs wait for analysis, and which process has them in hand.

A process claims a song before it analyses it, so that several may work on one library. Claims of a process that has
died are free again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import dataclass

from celesta.library.block_table import analysis_version
from celesta.library.store import Store, now

LEASE = 600.0
"""Seconds after which a claim that was not renewed is given up."""
_RENEW = 60.0


@dataclass(frozen=True)
class Job:
    """A recording to be analysed and a file of it."""

    recording: int
    path: bytes


# A song waits if it has not been analysed by this version, and one of its files is there and has no error.
_WAITING = """
    FROM recordings r JOIN files f ON f.recording = r.id
    WHERE (r.analysed IS NULL OR r.analysis <> :version) AND f.missing_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.path = f.path AND e.stage <> 'warning')
"""


def waiting(store: Store) -> int:
    """Count the songs that wait for analysis, claimed ones too."""
    ((count,),) = store.rows(f"SELECT count(DISTINCT r.id) {_WAITING}", {"version": analysis_version(store.licence)})
    return int(count)


class Claims:
    """The songs that this process has in hand; given up when the block ends.

    Args:
        store: the library.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._me = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Claims:
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._renewing.join()
        with contextlib.suppress(Exception):  # what ended the block is what matters
            self._store.execute(
                "UPDATE recordings SET claimed_by = NULL, claimed_at = NULL WHERE claimed_by = ?", (self._me,)
            )

    def take(self) -> Job | None:
        """Claim the next waiting song that no living process has; None where there is none."""
        values: dict[str, object] = {"version": analysis_version(self._store.licence)}
        with self._store.transaction() as store:
            found = store.rows(f"SELECT r.id, f.path {_WAITING} AND r.claimed_by IS NULL ORDER BY r.id LIMIT 1", values)
            if not found:
                self._free_dead(store)
                found = store.rows(
                    f"SELECT r.id, f.path {_WAITING} AND r.claimed_by IS NULL ORDER BY r.id LIMIT 1", values
                )
            if not found:
                return None
            recording, path = found[0]
            store.execute(
                "UPDATE recordings SET claimed_by = ?, claimed_at = ? WHERE id = ?", (self._me, now(), recording)
            )
        return Job(recording, path)

    def _free_dead(self, store: Store) -> None:
        sql = "SELECT claimed_by, max(claimed_at) FROM recordings WHERE claimed_by IS NOT NULL GROUP BY claimed_by"
        for owner, at in store.rows(sql):
            if owner != self._me and (now() - at > LEASE or not _alive(owner)):
                store.execute("UPDATE recordings SET claimed_by = NULL WHERE claimed_by = ?", (owner,))

    def _renew(self) -> None:
        """Tell other processes, once a minute, that this one is alive."""
        while not self._ended.wait(_RENEW):
            # A connection serves one thread; where this fails, the next minute tries again.
            with contextlib.suppress(Exception), Store(self._store.path, create=False) as store:
                store.execute("UPDATE recordings SET claimed_at = ? WHERE claimed_by = ?", (now(), self._me))


def _alive(owner: str) -> bool:
    """Whether the process of a claim may still run; of another machine's, or where one cannot ask, it may."""
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
