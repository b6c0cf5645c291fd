"""Microsoft's SDK for Graph and its library for signing in, at the simulated cloud."""

import csv
import io
import unittest
import uuid

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msal import ConfidentialClientApplication
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core import GraphClientFactory

import cloud as simulated

SCOPE = "https://graph.microsoft.com/.default"


class Msal(AccessTokenProvider):
    """Tokens of an app, by its secret."""

    def __init__(self, cloud, client_id=None, client_secret=None):
        self._app = ConfidentialClientApplication(
            client_id or cloud.client_id, client_credential=client_secret or cloud.client_secret,
            authority=f"{cloud.url}/{cloud.tenant}", instance_discovery=False, verify=cloud.authority_file)

    def answer(self):
        """What the token endpoint answers: a token, or an error."""
        return self._app.acquire_token_for_client([SCOPE])

    async def get_authorization_token(self, uri, additional_authentication_context=None):
        return self.answer()["access_token"]

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


def http(cloud):
    """What the SDK speaks through; whoever opens it closes it."""
    return httpx.AsyncClient(verify=httpx.create_ssl_context(cloud.authority_file), trust_env=False)


def client(cloud, http):
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Msal(cloud)),
                                  GraphClientFactory.create_with_default_middleware(client=http))
    adapter.base_url = f"{cloud.url}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def to_the_end(builder, page):
    """The rows of this page and of all that follow, and the last page."""
    rows = list(page.value)
    while page.odata_next_link:
        page = await builder.with_url(page.odata_next_link).get()
        rows += page.value
    return rows, page


class MicrosoftGraph(unittest.IsolatedAsyncioTestCase):
    """msgraph-sdk and msal"""

    cloud = None  # conformance.py says which.

    async def asyncSetUp(self):
        self.client = client(self.cloud, spoken := http(self.cloud))
        self.addAsyncCleanup(spoken.aclose)

    async def test_it_refuses_a_wrong_secret_and_an_unknown_app(self):
        wrong = Msal(self.cloud, client_secret="wrong").answer()
        self.assertIn("AADSTS7000215", wrong["error_description"])
        stranger = Msal(self.cloud, client_id=str(uuid.uuid4())).answer()
        self.assertIn("AADSTS700016", stranger["error_description"])

    async def test_it_says_what_it_refuses(self):
        with self.assertRaises(ODataError) as refused:
            await self.client.users.by_user_id("nobody@contoso.example").get()
        self.assertEqual(refused.exception.response_status_code, 404)
        self.assertEqual(refused.exception.error.code, "Request_ResourceNotFound")
        self.assertTrue(refused.exception.error.inner_error.request_id)
        with self.assertRaises(ODataError) as refused:
            await self.client.reports.get_mailbox_usage_detail_with_period("D8").get()
        self.assertEqual(refused.exception.response_status_code, 400)

    async def test_it_lists_users_to_the_last_page(self):
        asked = RequestConfiguration(query_parameters=UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            top=60, count=True, select=["id", "userPrincipalName", "assignedLicenses", "signInActivity"]))
        asked.headers.add("ConsistencyLevel", "eventual")
        first = await self.client.users.get(asked)
        users, _ = await to_the_end(self.client.users, first)
        self.assertEqual((len(first.value), first.odata_count), (60, simulated.USERS))
        self.assertEqual(len({user.id for user in users}), simulated.USERS)
        self.assertTrue(any(user.assigned_licenses for user in users))
        self.assertTrue(any(user.sign_in_activity for user in users))
        self.assertTrue(all(user.user_principal_name for user in users))

    async def test_it_answers_a_delta_of_users_and_then_nothing(self):
        builder = self.client.users.delta
        users, last = await to_the_end(builder, await builder.get())
        self.assertEqual(len({user.id for user in users}), simulated.USERS)
        again = await builder.with_url(last.odata_delta_link).get()
        self.assertEqual(again.value, [])
        self.assertTrue(again.odata_delta_link)

    async def test_it_lists_groups_and_who_is_in_them(self):
        builder = self.client.groups
        groups, _ = await to_the_end(builder, await builder.get())
        self.assertEqual(len({group.id for group in groups}), simulated.GROUPS)
        types = set()
        for group in groups:
            members = self.client.groups.by_group_id(group.id).members
            rows, _ = await to_the_end(members, await members.get())
            types |= {row.odata_type for row in rows}
        self.assertEqual(types, {f"#microsoft.graph.{kind}" for kind in ["user", "group", "servicePrincipal", "device"]})
        everything, last = await to_the_end(builder.delta, await builder.delta.get())
        self.assertEqual(len({group.id for group in everything}), simulated.GROUPS)
        self.assertTrue(last.odata_delta_link)

    async def test_it_says_what_was_bought(self):
        bought = (await self.client.subscribed_skus.get()).value
        self.assertIn("SPE_E3", {sku.sku_part_number for sku in bought})
        self.assertTrue(all(sku.service_plans is not None and sku.prepaid_units for sku in bought))

    async def test_it_redirects_to_a_report_that_agrees_with_the_users(self):
        users, _ = await to_the_end(self.client.users, await self.client.users.get())
        names = {user.user_principal_name for user in users}
        body = await self.client.reports.get_office365_active_user_detail_with_period("D30").get()
        rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        self.assertGreater(len(rows), simulated.USERS // 2)
        self.assertLessEqual({row["User Principal Name"] for row in rows}, names)
        self.assertEqual(len({row["Report Refresh Date"] for row in rows}), 1)
