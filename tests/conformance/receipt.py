"""Receipts, checked as a customer would: by the published key, with a library that nobody here wrote.

Starts a Tenantry with its simulated cloud, in which somebody has consented. Ends with one line, `N passed, N failed`.
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import jwt

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Tenantry:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tenantry-receipt.")
        self.url = f"http://127.0.0.1:{free_port()}"
        # In its folder, by which tests/run finds it if this process is killed.
        self.process = subprocess.Popen(
            [os.path.abspath(os.environ["TENANTRY_BINARY"]), "demo", "--listen", self.url.removeprefix("http://"),
             "--subscriptions", "5", "--resources", "50", "--data-dir", "data"],
            cwd=self.folder, env=os.environ | {"TENANTRY_LOG": "warn"}, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.search(r"Authorization: Bearer (\S+)", line):
                self.token = found[1]
                break
        else:
            shutil.rmtree(self.folder)
            raise RuntimeError(f"the demonstration ended with {self.process.wait()}")

    def get(self, url, **headers):
        with OPENER.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.read().decode()

    def own(self, url):
        return self.get(url, authorization=f"Bearer {self.token}")

    def ask(self, query):
        asked = urllib.parse.urlencode({"query": query})
        return json.loads(self.own(f"{self.url}/graphql?{asked}"))["data"]

    def stop(self):
        self.process.terminate()
        self.process.communicate()
        shutil.rmtree(self.folder)


class Receipt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tenantry = Tenantry()
        cls.addClassCleanup(cls.tenantry.stop)
        data = cls.tenantry.ask("""{ consents(first: 1) { nodes { id receipt { callCount json: downloadUrl
            csv: downloadUrl(format: CSV) jws: downloadUrl(format: JWS) } } } }""")
        cls.consent = data["consents"]["nodes"][0]
        cls.shown = cls.consent["receipt"]
        cls.json, cls.csv, cls.jws = (cls.tenantry.own(cls.shown[form]) for form in ("json", "csv", "jws"))
        keys = jwt.PyJWKSet.from_json(cls.tenantry.get(f"{cls.tenantry.url}/.well-known/tenantry-receipt-keys"))
        cls.key = keys[jwt.get_unverified_header(cls.jws)["kid"]]

    def verified(self, jws):
        return jwt.decode(jws, self.key, algorithms=["EdDSA"], issuer=self.tenantry.url,
                          options={"require": ["iss", "sub", "iat"]})

    def test_the_statement_is_a_jwt_of_the_published_key(self):
        self.assertEqual(jwt.get_unverified_header(self.jws)["typ"], "tenantry-receipt+jwt")
        self.assertEqual(self.verified(self.jws)["sub"], self.consent["id"])

    def test_a_statement_that_was_altered_is_refused(self):
        head, payload, signature = self.jws.split(".")
        with self.assertRaises(jwt.InvalidSignatureError):
            self.verified(".".join([head, payload[:-8] + payload[-8:].swapcase(), signature]))

    def test_the_calls_are_those_that_were_signed(self):
        receipt = json.loads(self.json)
        stated = self.verified(receipt["receipt"])
        # RFC 8785: the texts are ASCII and the numbers are whole, so this is the canonical form.
        lines = [json.dumps(call, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
                 for call in receipt["calls"]]
        self.assertEqual(stated["callsSha256"], hashlib.sha256("".join(lines).encode()).hexdigest())
        self.assertEqual(stated["callCount"], len(lines))
        self.assertEqual(self.shown["callCount"], len(lines))
        self.assertTrue(any(call["method"] == "PUT" for call in receipt["calls"]))

    def test_the_csv_is_the_one_that_was_signed_and_has_the_same_calls(self):
        self.assertEqual(self.verified(self.jws)["csvSha256"], hashlib.sha256(self.csv.encode()).hexdigest())
        rows = list(csv.DictReader(io.StringIO(self.csv, newline="")))
        calls = [{name: "" if value is None else str(value) for name, value in call.items()}
                 for call in json.loads(self.json)["calls"]]
        self.assertEqual(rows, calls)


def main():
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # What fails before its first test has run is counted too.
    print(f"\n{max(result.testsRun - failed, 0)} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
