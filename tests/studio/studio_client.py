"""Requests to a studio as its page makes them."""

import http.client
import json
import time
import urllib.parse


class Client:
    """Requests to a studio as its page makes them."""

    def __init__(self, server, token):
        self.address, self.token = server.address, token
        self.host, _, port = server.address.rpartition(":")
        self.port = int(port)

    def raw(self, method, target, body=None, headers=None, token=True):
        """One request on a connection of its own: status, headers, body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        given = {"cookie": f"celesta_studio_{self.port}={self.token}"} if token else {}
        try:
            connection.request(method, target, body, {**given, **(headers or {})})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get(self, path, **query):
        return self.raw("GET", f"/api{path}?{urllib.parse.urlencode(query)}")

    def post(self, path, **body):
        headers = {"content-type": "application/json", "origin": f"http://{self.address}"}
        return self.raw("POST", f"/api{path}", json.dumps(body), headers)

    def json(self, answer, status=200):
        assert answer[0] == status, answer[2][:500]
        return json.loads(answer[2])

    def result(self, answer):
        """The result of a job, when it is finished."""
        name = self.json(answer)["job"]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            job = self.json(self.get("/job", id=name))
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            time.sleep(0.02)
        raise AssertionError(f"the job is still {job['state']}")
