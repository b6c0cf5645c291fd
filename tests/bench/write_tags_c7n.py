"""Tags each resource of standard input by a policy of Cloud Custodian's, as `custodian run` does it: its own listing,
its own three threads and retries. Prints `begun` once it has listed and begins to write, and in how many seconds it
wrote.

    CLIENT_SECRET=… write_tags_c7n.py BASE_URL TENANT CLIENT_ID SUBSCRIPTION < ids

What of it is replaced: where the cloud is, and that a token is not sent by http.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from azure.core.pipeline.policies import _authentication
from c7n import cli
from c7n_azure.actions.tagging import Tag
from c7n_azure.provider import Azure
from msrestazure.azure_cloud import AZURE_PUBLIC_CLOUD, Cloud, CloudEndpoints

from read_resource_graph import Secret

CLOUD = "Simulated"


def policy(ids):
    # Azure spells some ids in another case in every other page.
    chosen = {"type": "value", "key": "id", "op": "in", "value_type": "normalize",
              "value": [id.lower() for id in ids]}
    tag = {"type": "tag", "tag": "benchmark", "value": "1"}
    return {"policies": [{"name": "benchmark", "resource": "azure.armresource", "filters": [chosen],
                          "actions": [tag]}]}


def told(process):
    """The action's, that says when it begins and how long it took."""

    def timed(action, resources, event=None):
        print("begun", flush=True)
        begun = time.perf_counter()
        results = process(action, resources, event)
        print(time.perf_counter() - begun)
        return results

    return timed


def main():
    base, tenant, client_id, subscription = sys.argv[1].rstrip("/"), *sys.argv[2:5]
    endpoints = vars(AZURE_PUBLIC_CLOUD.endpoints) | {"resource_manager": f"{base}/", "active_directory": base}
    Azure.region_to_cloud[CLOUD] = Cloud(CLOUD, CloudEndpoints(**endpoints), AZURE_PUBLIC_CLOUD.suffixes)
    _authentication._enforce_https = lambda _request: None
    # Custodian takes a token as it is, and signs in by https only.
    os.environ["AZURE_ACCESS_TOKEN"] = Secret(base, tenant, client_id).get_token().token
    os.environ["AZURE_SUBSCRIPTION_ID"] = subscription
    Tag.process = told(Tag.process)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.json"
        file.write_text(json.dumps(policy([line.strip() for line in sys.stdin if line.strip()])))
        cli.main(["run", "--region", CLOUD, "--output-dir", folder, str(file)])


main()
