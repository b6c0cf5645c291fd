"""Microsoft's SDK for Graph and its library for signing in, at the simulated cloud."""

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider)
from msal import ConfidentialClientApplication
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph_core import GraphClientFactory

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
