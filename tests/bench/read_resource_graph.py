"""Reads every resource of a tenant through Microsoft's own client, and prints how many and in how many seconds.

    CLIENT_SECRET=… read_resource_graph.py BASE_URL TENANT CLIENT_ID

The query is the one of the crate `microsoft`. The client is made and has its token before the time begins.
"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

from azure.core.credentials import AccessToken
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

QUERY = "resources | project id, name, type, kind, location, sku, managedBy, tags | order by id asc"
PAGE = 1_000


class Secret:
    """Client credentials: azure-identity refuses to sign in by http."""

    def __init__(self, base, tenant, client):
        self.url = f"{base}/{tenant}/oauth2/v2.0/token"
        self.form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": os.environ["CLIENT_SECRET"],
            "scope": "https://management.azure.com/.default",
        }
        self.token = None

    def get_token(self, *_scopes, **_options):
        if self.token is None:
            body = urllib.parse.urlencode(self.form).encode()
            with urllib.request.urlopen(self.url, body) as answer:
                granted = json.load(answer)
            self.token = AccessToken(granted["access_token"], int(time.time()) + int(granted["expires_in"]))
        return self.token


def subscriptions(base, credential):
    headers = {"Authorization": f"Bearer {credential.get_token().token}"}
    found, link = [], f"{base}/subscriptions?api-version=2022-12-01"
    while link:
        with urllib.request.urlopen(urllib.request.Request(link, headers=headers)) as answer:
            page = json.load(answer)
        found += [row["subscriptionId"] for row in page["value"]]
        link = page.get("nextLink")
    return found


def read(client, ids):
    rows, token = 0, None
    while True:
        options = QueryRequestOptions(top=PAGE, skip_token=token, result_format="objectArray")
        request = QueryRequest(subscriptions=ids, query=QUERY, options=options)
        answer = client.resources(request, enforce_https=False)
        rows += len(answer.data)
        token = answer.skip_token
        if not token:
            return rows


def main():
    base, tenant, client_id = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3]
    credential = Secret(base, tenant, client_id)
    ids = subscriptions(base, credential)
    scopes = ["https://management.azure.com/.default"]
    client = ResourceGraphClient(credential, base_url=base, credential_scopes=scopes)
    begun = time.perf_counter()
    rows = read(client, ids)
    print(rows, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
