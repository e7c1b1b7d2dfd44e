"""Who may ask a studio, and for what: issue 19, "Local by default"."""

import json
import os
import socket
import time

import pytest

from celesta.audio import Audio, write
from celesta.errors import UsageError
from celesta.studio import Settings
from celesta.studio.folders import Folders, NotServedError

# ---- hosts, origins, token


def test_without_the_token_nothing_is_given(studio):
    for target in ("/", "/app.js", "/api/state", "/api/audio?song=0/long.wav", "/api/openapi.json"):
        assert studio.raw("GET", target, token=False)[0] == 401
    wrong = {"cookie": f"celesta_studio_{studio.port}=wrong"}
    assert studio.raw("GET", "/api/state", headers=wrong, token=False)[0] == 401
    assert studio.raw("GET", "/?token=wrong", token=False)[0] == 401


def test_the_address_sets_a_cookie_that_scripts_and_other_sites_do_not_get(studio):
    status, headers, _ = studio.raw("GET", f"/?token={studio.token}", token=False)
    assert status == 303
    assert headers["location"] == "/"
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert headers["referrer-policy"] == "no-referrer"


def test_a_bearer_token_works_for_scripts(studio):
    given = {"authorization": f"Bearer {studio.token}"}
    assert studio.raw("GET", "/api/state", headers=given, token=False)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1:1", "localhost.evil.example:PORT", ""]
)
def test_other_names_of_this_server_are_refused(studio, host):
    """DNS rebinding: a page of another site reaches this address under its own name."""
    given = {"host": host.replace("PORT", str(studio.port))}
    assert studio.raw("GET", "/api/state", headers=given)[0] in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST", "127.8.8.8"])
def test_loopback_names_are_accepted(studio, host):
    assert studio.raw("GET", "/api/state", headers={"host": f"{host}:{studio.port}"})[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://[", "file://"])
def test_other_origins_are_refused(studio, origin):
    for method, path in (("GET", "/api/state"), ("POST", "/api/library/update"), ("PUT", "/api/upload?name=a.wav")):
        assert studio.raw(method, path, b"{}", {"origin": origin})[0] == 403


def test_requests_of_other_sites_are_refused_and_links_to_the_page_work(studio):
    assert studio.raw("GET", "/api/state", headers={"sec-fetch-site": "cross-site"})[0] == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert studio.raw("GET", "/", headers=link)[0] == 200
    assert studio.raw("GET", "/api/state", headers=link)[0] == 403


def test_the_policy_of_the_page_forbids_inline_and_foreign_script(studio):
    _, headers, body = studio.raw("GET", "/")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert b"<script>" not in body
    assert b"http" not in body.replace(b"viewport", b"")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_other_machines_need_a_word_of_permission(tmp_path, host):
    with pytest.raises(UsageError, match="--allow-remote"):
        Settings((tmp_path,), host=host)


def test_a_remote_studio_answers_to_addresses_and_its_own_name_only(tmp_path):
    remote = Settings((tmp_path,), host="0.0.0.0", allow_remote=True)
    assert remote.host_allowed("192.0.2.1:80", 80)
    assert remote.host_allowed(f"{socket.gethostname()}:80", 80)
    assert not remote.host_allowed("evil.example:80", 80)


# ---- files


@pytest.mark.parametrize(
    "ref",
    [
        "0/../secret.wav", "0/%2e%2e/secret.wav", "0/sub/../../x.wav", "0//etc/passwd", "0/%2Fetc%2Fpasswd",
        "/etc/passwd",
        "1/long.wav", "-1/long.wav", "0/long.wav%00", "x", "", "0/link.wav", "0/linked/secret.wav", "0/notes.txt",
        "0/missing.wav", "0", "99999999999999999999/a", "0/" + "a" * 5_000, "٠/long.wav",
    ],
)  # fmt: skip
def test_only_audio_below_the_folders_is_served(studio, ref):
    """Traversal, absolute paths, links that lead out, other files."""
    for path in ("/song", "/audio", "/wav"):
        status, _, body = studio.get(path, song=ref)
        assert status in (404, 422), body
    assert studio.get("/files", folder=ref)[0] == 404 or ref in ("0", "")


def test_links_within_a_folder_are_followed(tmp_path, music):
    write(tmp_path / "a.wav", Audio(music(1_000), 44_100))
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    folders = Folders([tmp_path])
    assert folders.path("0/b.wav") == (tmp_path / "a.wav").resolve()
    assert [one.name for one in folders.entries("0")] == ["a.wav", "b.wav"]


def test_names_that_are_not_text_have_references(tmp_path, music):
    write(tmp_path / "a.wav", Audio(music(1_000), 44_100))
    os.rename(os.fsencode(tmp_path / "a.wav"), os.fsencode(tmp_path) + b"/\xff%.wav")
    folders = Folders([tmp_path])
    (entry,) = folders.entries("0")
    assert entry.ref == "0/%FF%25.wav"
    assert os.fsencode(folders.path(entry.ref)).endswith(b"\xff%.wav")


def test_a_file_alone_serves_no_neighbour(songs):
    folders = Folders([songs / "long.wav"])
    assert folders.path("0").name == "long.wav"
    with pytest.raises(NotServedError):
        folders.path("0/short.flac")


# ---- bodies


def test_large_bodies_are_refused(studio):
    given = {"content-type": "application/json"}
    assert studio.raw("POST", "/api/vary/prepare", b"x" * 200_000, given)[0] == 413
    assert studio.raw("PUT", "/api/upload?name=a.wav", headers={"content-length": str(5 << 20)})[0] == 413

    def pieces():
        for _ in range(100):
            yield b"0" * 65_536

    try:
        status = studio.raw("PUT", "/api/upload?name=a.wav", pieces(), {"transfer-encoding": "chunked"})[0]
    except (BrokenPipeError, ConnectionResetError):  # closed while we were still sending
        status = 413
    assert status == 413


def head(studio, *lines):
    token = f"cookie: celesta_studio_{studio.port}={studio.token}"
    return "\r\n".join([*lines, f"host: {studio.address}", token]).encode()


def test_slow_bodies_are_refused(studio):
    with socket.create_connection((studio.host, studio.port), 10) as connection:
        connection.sendall(head(studio, "POST /api/abx HTTP/1.1", "content-length: 100") + b"\r\n\r\n{")
        began = time.monotonic()
        assert b" 408 " in connection.recv(4_096)
        assert time.monotonic() - began < 4


def test_slow_heads_lose_their_connection(studio):
    with socket.create_connection((studio.host, studio.port), 10) as connection:
        data = head(studio, "GET /api/state HTTP/1.1")
        began = time.monotonic()
        closed = False
        for byte in data[:60]:
            try:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.06)
                closed = connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
            if closed:
                break
        assert closed
        assert time.monotonic() - began < 3.5


def test_idle_connections_do_not_stop_others(studio):
    waiting = [socket.create_connection((studio.host, studio.port), 10) for _ in range(40)]
    assert studio.get("/state")[0] == 200
    for one in waiting:
        one.close()


# ---- uploads


def test_an_upload_is_checked_served_and_stays_where_it_is(studio, songs):
    data = (songs / "short.flac").read_bytes()
    status, _, body = studio.raw("PUT", "/api/upload?name=../../x%2F..%2Fmine.flac", data)
    assert status == 200
    made = json.loads(body)
    assert made["name"] == "mine.flac"
    assert studio.json(studio.get("/song", song=made["ref"]))["seconds"] == pytest.approx(3)
    for name, data in (("a.wav", b"no audio"), ("a.exe", b"MZ"), ("a.cel", b"{}"), ("b.mp3", b"")):
        status, _, body = studio.raw("PUT", f"/api/upload?name={name}", data)
        assert status == 422, body
        assert json.loads(body)["error"].startswith(name)
