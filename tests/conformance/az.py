"""Azure's command line, signed in to the simulated cloud as an app that owns everything in it.

For other programs: `python az.py ARGUMENT...` runs one command at the cloud that the environment names. It needs
TENANTRY_TEST_AZ (the program), and of the cloud TENANTRY_TEST_CLOUD_URL (https), TENANTRY_TEST_CLOUD_AUTHORITY (a
file with its certificate authority), TENANTRY_TEST_CLOUD_TENANT, TENANTRY_TEST_CLOUD_CLIENT_ID and
TENANTRY_TEST_CLOUD_CLIENT_SECRET, as `tenantry simulate --tls-certificate … --tls-key …` prints them for the app
"automation". The answer is JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class Az:
    """Keeps what it knows of the cloud, and its tokens, in a folder of its own."""

    def __init__(self, url, authority_file, tenant, client_id, folder):
        self.tenant, self.client_id = tenant, client_id
        self.environment = os.environ | {
            "AZURE_CONFIG_DIR": str(folder), "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_INSTANCE_DISCOVERY": "no", "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "no",
            "REQUESTS_CA_BUNDLE": authority_file, "NO_PROXY": "localhost,127.0.0.1",
        }
        self("cloud", "register", "--name", "Simulated", "--endpoint-resource-manager", url,
             "--endpoint-management", url, "--endpoint-active-directory", url,
             "--endpoint-active-directory-resource-id", url,
             "--endpoint-active-directory-graph-resource-id", "https://graph.microsoft.com/",
             "--endpoint-microsoft-graph-resource-id", "https://graph.microsoft.com/")
        self("cloud", "set", "--name", "Simulated")

    def run(self, *arguments):
        return subprocess.run([os.environ["TENANTRY_TEST_AZ"], *arguments, "--output", "json"],
                              env=self.environment, capture_output=True, text=True, timeout=180)

    def __call__(self, *arguments):
        done = self.run(*arguments)
        if done.returncode:
            raise AssertionError(f"az {' '.join(arguments[:2])}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def login_arguments(self, secret):
        return ["login", "--service-principal", "--username", self.client_id, "--tenant", self.tenant,
                f"--password={secret}"]

    def role_assignments(self, subscription, *others):
        """Everything that is assigned at exactly this subscription, ordered by name."""
        listed = self("role", "assignment", "list", "--scope", f"/subscriptions/{subscription}",
                      "--fill-principal-name", "false", *others)
        return sorted(listed, key=lambda one: one["name"])


def main():
    told = {name: os.environ[f"TENANTRY_TEST_CLOUD_{name}"]
            for name in ["URL", "AUTHORITY", "TENANT", "CLIENT_ID", "CLIENT_SECRET"]}
    with tempfile.TemporaryDirectory(prefix="tenantry-az.") as folder:
        az = Az(told["URL"], told["AUTHORITY"], told["TENANT"], told["CLIENT_ID"], Path(folder))
        az(*az.login_arguments(told["CLIENT_SECRET"]))
        done = az.run(*sys.argv[1:])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
