"""Random requests from the studio's own description of its interface: right ones, wrong ones, hostile ones."""

import json
import random
import urllib.parse

STRINGS = (
    "", "0", "0/long.wav", "0/short.flac", "0/missing.wav", "0/../x", "linear-64", "linear-8", "gain", "noise",
    "flac", "wav", "m3u8", "xspf",
    "valence", "tempo", "Am", "calm", "118..124", "a" * 500, "\x00", "%00", "é\u202e😀", "' OR 1=1 --",
    "<script>", "${7*7}", "../../etc/passwd", "NaN", "-1", "1e999", "null", "\ud7ff",
    "nested", "cel-3", '"', "*", "-", "a -b",
)  # fmt: skip
NUMBERS = (0, 1, -1, 0.5, 2, 3, 15, 1e-9, 1e6, 1e7, -1e300, 1e308, 2**31, 2**53, 2**63, 2**70, 0.1, 1.5, 7)
ANYTHING = (None, True, False, [], {}, "x", 3, -2.5, [None], {"a": 1})
LEFT_OUT = ("/api/predict", "/api/structure", "/api/library/update", "/api/ladder")
"""Slow, and without parameters that matter."""


class Requests:
    """A generator of requests.

    Args:
        description: the OpenAPI document.
        seed: of the random numbers.
    """

    def __init__(self, description, seed=0):
        self.random = random.Random(seed)
        self.schemas = description["components"]["schemas"]
        self.operations = [
            (method.upper(), path, operation)
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
            if path not in LEFT_OUT
        ]

    def value(self, schema, depth=0):
        """A value of a schema; now and then one that is not."""
        if self.random.random() < 0.06 or depth > 6:
            return self.random.choice(ANYTHING)
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rpartition("/")[2]], depth + 1)
        if "anyOf" in schema:
            return self.value(self.random.choice(schema["anyOf"]), depth + 1)
        kind = schema.get("type")
        if kind == "object" and "properties" in schema:
            needed = schema.get("required", [])
            names = [n for n in schema["properties"] if self.random.random() < (0.97 if n in needed else 0.5)]
            made = {name: self.value(schema["properties"][name], depth + 1) for name in names}
            if self.random.random() < 0.03:
                made["unknown"] = 1
            return made
        if kind == "object":
            return {self.string(): self.value(schema.get("additionalProperties") or {}, depth + 1)}
        if kind == "array":
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(self.random.randrange(4))]
        if kind in ("number", "integer"):
            return self.number(kind)
        return self.random.random() < 0.5 if kind == "boolean" else self.string()

    def number(self, kind):
        one = self.random.choice(NUMBERS) if self.random.random() < 0.6 else self.random.uniform(0, 20)
        return int(one) if kind == "integer" and self.random.random() < 0.9 else one

    def string(self):
        if self.random.random() < 0.85:
            return self.random.choice(STRINGS)
        return "".join(chr(self.random.randrange(1, 0xD7FF)) for _ in range(self.random.randrange(12)))

    def __iter__(self):
        while True:
            method, path, operation = self.random.choice(self.operations)
            if self.random.random() < 0.01:
                method = self.random.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"))
            query = {p["name"]: self.value(p["schema"]) for p in operation.get("parameters", ())
                     if self.random.random() < (0.97 if p["required"] else 0.4)}  # fmt: skip
            target = path
            if query:
                given = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
                target += "?" + urllib.parse.urlencode(given, errors="surrogatepass")
            body, headers = None, {}
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                body = json.dumps(self.value(schema)).encode()
                headers["content-type"] = "application/json"
                if self.random.random() < 0.02:
                    body = self.random.choice((b"", b"{", b"[]", b"\xff\xfe", b"0" * 50_000, b'{"a":' * 5_000))
            if self.random.random() < 0.1:
                headers["range"] = self.random.choice(
                    ("bytes=0-", "bytes=5-2", "bytes=-1", "x", "bytes=99999999999999999-", "bytes=1-5")
                )
            yield method, target, body, headers
