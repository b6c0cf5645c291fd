"""Merges one tag into each resource of standard input through Microsoft's own client, with 16 threads and its own
retries. Prints `begun` when it begins to write, and in how many seconds it wrote.

    CLIENT_SECRET=… write_tags.py BASE_URL TENANT CLIENT_ID SUBSCRIPTION < ids
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from azure.mgmt.resource import ResourceManagementClient
from azure.mgmt.resource.resources.models import Tags, TagsPatchResource

from read_resource_graph import Secret

THREADS = 16


def main():
    base, tenant, client_id, subscription = sys.argv[1].rstrip("/"), *sys.argv[2:5]
    credential = Secret(base, tenant, client_id)
    credential.get_token()
    scopes = ["https://management.azure.com/.default"]
    client = ResourceManagementClient(credential, subscription, base_url=base, credential_scopes=scopes)
    patch = TagsPatchResource(operation="Merge", properties=Tags(tags={"benchmark": "1"}))
    ids = [line.strip() for line in sys.stdin if line.strip()]

    def write(scope):
        try:
            poller = client.tags.begin_update_at_scope(scope.lstrip("/"), patch, enforce_https=False)
            poller.result()
        except Exception as error:
            print(type(error).__name__, error, file=sys.stderr)

    print("begun", flush=True)
    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, ids))
    print(time.perf_counter() - begun)


main()
