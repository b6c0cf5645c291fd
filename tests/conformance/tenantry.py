"""A Tenantry that serves beside the simulated cloud, and people with browsers: its administrator, and a customer's.

    tenantry = Tenantry.start(CLOUD)
    consent = tenantry.consent("owner")                    # the operation that it began has ended
    tenantry.ask("mutation …", {"input": {…}})             # anything else, as the administrator
"""

import base64
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

import requests

START = """mutation($input: StartConsentInput!) {
  startConsent(input: $input) { authorizationUrl consent { id } userErrors { code message } } }"""
CONSENT = """query($id: ID!) { node(id: $id) { ... on Consent { state failure { message } operation {
  id state failure { message }
  steps(first: 500) { nodes { outcome subscription { id azureSubscriptionId } } } } } } }"""
NEWEST = "{ operations(first: 1) { nodes { kind state steps(first: 500) { nodes { outcome failure { message } } } } } }"
ENDED = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED"}


class Form(HTMLParser):
    """The hidden fields of the form that has one field of this value."""

    def __init__(self, page, name, value):
        super().__init__()
        self.forms = []
        self.feed(page)
        self.fields = next(form for form in self.forms if form.get(name) == value)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and self.forms:
            self.forms[-1][attributes["name"]] = attributes["value"]


def browser(cloud):
    session = requests.Session()
    session.trust_env = False
    session.verify = cloud.authority_file
    return session


def open_as(user, session, link):
    """Follows a link, and where Microsoft asks who is there and whether that is granted, says so."""
    page = session.get(link, timeout=60)
    if "/oauth2/v2.0/authorize" in page.url:
        fields = Form(page.text, "user", user).fields | {"decision": "accept"}
        page = session.post(page.url, data=fields, timeout=60)
    if page.status_code != 200:
        raise AssertionError(f"{page.url.split('?')[0]} answered {page.status_code}: {page.text}")
    return page


class Tenantry:
    def __init__(self, cloud, folder):
        self.cloud, self.folder = cloud, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite://{folder}/tenantry.db",
            "TENANTRY_LISTEN": f"127.0.0.1:{port}", "TENANTRY_PUBLIC_URL": self.url,
            "TENANTRY_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(), "TENANTRY_LOG": "error",
            "TENANTRY_SIGN_IN_ISSUER": f"{cloud.url}/organizations/v2.0",
            "TENANTRY_SIGN_IN_CLIENT_ID": cloud.settings["MICROSOFT_CLIENT_ID"],
            "TENANTRY_SIGN_IN_CLIENT_SECRET": cloud.settings["MICROSOFT_CLIENT_SECRET"],
            # In place of the system's list of authorities.
            "SSL_CERT_FILE": cloud.authority_file, "NO_PROXY": "localhost,127.0.0.1",
        } | cloud.settings
        self._browser = browser(cloud)
        # In its folder, by which tests/run finds it if this process is killed.
        self._process = subprocess.Popen([self._program(), "serve"], cwd=folder, env=self.environment)

    @staticmethod
    def _program():
        return os.path.abspath(os.environ["TENANTRY_BINARY"])

    @classmethod
    def start(cls, cloud):
        one = cls(cloud, Path(tempfile.mkdtemp(prefix="tenantry-conformance.")))
        try:
            one.wait(one._is_ready, "it does not become ready")
            link = subprocess.run([one._program(), "bootstrap"], env=one.environment, check=True,
                                  capture_output=True, text=True).stdout.strip()
            open_as("member", one._browser, link)
        except BaseException:
            one.stop()
            raise
        return one

    def stop(self):
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder)

    def _is_ready(self):
        if self._process.poll() is not None:
            raise AssertionError(f"serve ended with {self._process.returncode}")
        try:
            return requests.get(f"{self.url}/readyz", timeout=10).ok
        except requests.ConnectionError:
            return False

    @staticmethod
    def wait(condition, otherwise, seconds=120):
        end = time.monotonic() + seconds
        while not (seen := condition()):
            if time.monotonic() > end:
                raise AssertionError(otherwise)
            time.sleep(0.05)
        return seen

    def ask(self, query, variables=None):
        """What the administrator's front end is answered; fails on any error, also on one of the input's."""
        data, refused = self._answer(query, variables)
        if refused:
            raise AssertionError(f"{refused}")
        return data

    def _answer(self, query, variables):
        answer = self._browser.post(f"{self.url}/graphql", headers={"origin": self.url}, timeout=60,
                                    json={"query": query, "variables": variables or {}}).json()
        if "errors" in answer:
            raise AssertionError(f"{answer['errors']}")
        data = answer["data"]
        return data, [error for payload in data.values() for error in (payload or {}).get("userErrors", [])]

    def by_consent(self, user, mutation, variables):
        """What this mutation begins once this user of the customer's has consented: the operation, when it has ended."""
        _, refused = self._answer(mutation, variables)
        if [error["code"] for error in refused] != ["CONSENT_REQUIRED"]:
            raise AssertionError(f"no consent was asked for: {refused}")
        open_as(user, browser(self.cloud), refused[0]["consentUrl"])

        def newest_has_ended():
            newest = self.ask(NEWEST)["operations"]["nodes"][0]
            return newest if newest["state"] in ENDED else None
        return self.wait(newest_has_ended, "what was consented for does not end")

    def consent(self, user):
        """The consent of this user of the customer's, once its operation has ended."""
        started = self.ask(START, {"input": {"tenant": self.cloud.tenant}})["startConsent"]
        open_as(user, browser(self.cloud), started["authorizationUrl"])
        return self.ended(started["consent"]["id"])

    def ended(self, consent):
        def operation_has_ended():
            node = self.ask(CONSENT, {"id": consent})["node"]
            if node["failure"]:
                raise AssertionError(node["failure"]["message"])
            return node if node["operation"] and node["operation"]["state"] in ENDED else None
        return self.wait(operation_has_ended, "its operation does not end")
