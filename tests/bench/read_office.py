"""Reads users, groups with their members, and a report of a tenant through Microsoft's own SDK for Graph, keeps nothing,
and prints of each how many rows that were and in how many seconds.

    CLIENT_SECRET=… read_office.py BASE_URL TENANT CLIENT_ID

What is selected is what the crate `microsoft` selects. The client is made and has its token before the time begins. Users
and groups are read for a minute each, or to their last page: the SDK would need half an hour for 200,000 users.
"""

import asyncio
import csv
import io
import json
import os
import sys
import time
import urllib.parse
import urllib.request

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph_core import GraphClientFactory

USERS = ["id", "displayName", "userPrincipalName", "mail", "accountEnabled", "userType", "department",
         "usageLocation", "createdDateTime", "assignedLicenses"]
GROUPS = ["id", "displayName", "description", "groupTypes", "mailEnabled", "securityEnabled", "membershipRule",
          "createdDateTime", "members"]
SECONDS = 60


class Secret(AccessTokenProvider):
    """Client credentials by http, which msal refuses."""

    def __init__(self, base, tenant, client):
        form = {"grant_type": "client_credentials", "client_id": client,
                "client_secret": os.environ["CLIENT_SECRET"], "scope": "https://graph.microsoft.com/.default"}
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{base}/{tenant}/oauth2/v2.0/token", body) as answer:
            self.token = json.load(answer)["access_token"]

    async def get_authorization_token(self, uri, additional_authentication_context=None):
        return self.token

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


async def each(builder, select, rows):
    """Goes from page to page, adds up what `rows` says of each object, and prints it."""
    parameters = type(builder).DeltaRequestBuilderGetQueryParameters(select=select)
    begun, count = time.perf_counter(), 0
    page = await builder.get(RequestConfiguration(query_parameters=parameters))
    while True:
        count += sum(map(rows, page.value))
        seconds = time.perf_counter() - begun
        if not page.odata_next_link or seconds > SECONDS:
            print(count, seconds)
            return
        page = await builder.with_url(page.odata_next_link).get()


async def main():
    base, tenant, client_id = sys.argv[1].rstrip("/"), sys.argv[2], sys.argv[3]
    provider = BaseBearerTokenAuthenticationProvider(Secret(base, tenant, client_id))
    async with httpx.AsyncClient(trust_env=False, timeout=600) as spoken:
        adapter = GraphRequestAdapter(provider, GraphClientFactory.create_with_default_middleware(client=spoken))
        adapter.base_url = f"{base}/v1.0"
        client = GraphServiceClient(request_adapter=adapter)
        await each(client.users.delta, USERS, lambda _: 1)
        await each(client.groups.delta, GROUPS, lambda group: 1 + len(group.additional_data.get("members@delta") or []))
        begun = time.perf_counter()
        body = await client.reports.get_office365_active_user_detail_with_period("D180").get()
        rows = sum(1 for _ in csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        print(rows, time.perf_counter() - begun)


asyncio.run(main())
