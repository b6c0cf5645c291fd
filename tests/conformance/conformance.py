"""Microsoft's own clients against the simulator: sign in, list, assign, query, report, to the last page.

Ends with one line, `N passed, N failed`.
"""

import base64
import json
import logging
import os
import signal
import sys
import unittest
import uuid

import cloud as simulated
from az import Az
from tenantry import Tenantry

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
CLOUD = simulated.Cloud.start()
# Of requests, which every one of these clients speaks through.
os.environ["REQUESTS_CA_BUNDLE"] = CLOUD.authority_file
os.environ["NO_PROXY"] = "localhost,127.0.0.1"

from azure.core.credentials import AccessToken  # noqa: E402
from azure.core.exceptions import (  # noqa: E402
    ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError)
from azure.identity import ClientSecretCredential  # noqa: E402
from azure.mgmt.authorization import AuthorizationManagementClient  # noqa: E402
from azure.mgmt.resource.resources import ResourceManagementClient  # noqa: E402
from azure.mgmt.resource.subscriptions import SubscriptionClient  # noqa: E402
from azure.mgmt.resourcegraph import ResourceGraphClient  # noqa: E402

from graph import MicrosoftGraph  # noqa: E402

MicrosoftGraph.cloud = CLOUD

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
TAG_CONTRIBUTOR = "4a9ae827-6dc8-4573-8ac7-8239d42aa03f"
QUERY = "resources | project id, name, type, location, resourceGroup, subscriptionId, tags | order by id asc"


def sign_in(**others):
    asked = {"tenant_id": CLOUD.tenant, "client_id": CLOUD.client_id, "client_secret": CLOUD.client_secret} | others
    return ClientSecretCredential(authority=CLOUD.url, disable_instance_discovery=True, **asked)


def client(kind, *arguments, credential=None, **others):
    return kind(credential or sign_in(), *arguments, base_url=CLOUD.url,
                credential_scopes=["https://management.azure.com/.default"], **others)


def own_principal(**others):
    """The object id of the app that signs in, as its token has it."""
    claims = sign_in(**others).get_token("https://management.azure.com/.default").token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"]


class Forged:
    """A credential with a token that nobody signed."""

    def get_token(self, *_, **__):
        return AccessToken("e30.e30.e30", 2**31)


class SignIn(unittest.TestCase):
    """azure-identity"""

    def test_a_secret_gets_a_token_for_each_name_of_resource_manager(self):
        for resource in ["https://management.azure.com", "https://management.core.windows.net/", CLOUD.url]:
            token = sign_in().get_token(f"{resource}/.default")
            self.assertEqual(token.token.count("."), 2)

    def test_a_wrong_secret_says_so(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS7000215"):
            sign_in(client_secret="wrong").get_token("https://management.azure.com/.default")

    def test_an_unknown_app_says_so(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS700016"):
            sign_in(client_id=str(uuid.uuid4())).get_token("https://management.azure.com/.default")

    def test_an_unknown_tenant_says_so(self):
        with self.assertRaisesRegex((ClientAuthenticationError, ValueError), "AADSTS90002|[Tt]enant"):
            sign_in(tenant_id=str(uuid.uuid4())).get_token("https://management.azure.com/.default")

    def test_an_unknown_scope_says_so(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS(70011|500011)"):
            sign_in().get_token("https://unknown.example/.default")

    def test_a_forged_token_is_refused(self):
        with self.assertRaises(ClientAuthenticationError):
            list(client(SubscriptionClient, credential=Forged()).subscriptions.list())

    def test_a_token_for_graph_is_refused_by_resource_manager(self):
        graph = SubscriptionClient(sign_in(), base_url=CLOUD.url,
                                   credential_scopes=["https://graph.microsoft.com/.default"])
        with self.assertRaises(ClientAuthenticationError):
            list(graph.subscriptions.list())


class Inventory(unittest.TestCase):
    """azure-mgmt-resource and azure-mgmt-resource-subscriptions"""

    @classmethod
    def setUpClass(cls):
        cls.root = client(SubscriptionClient)
        cls.subscriptions = list(cls.root.subscriptions.list())

    def of(self, subscription):
        return client(ResourceManagementClient, subscription.subscription_id)

    def test_subscriptions_and_tenants_are_listed(self):
        self.assertEqual(len(self.subscriptions), simulated.SUBSCRIPTIONS)
        self.assertEqual({one.tenant_id for one in self.subscriptions}, {CLOUD.tenant})
        self.assertIn("Disabled", {str(getattr(one.state, "value", one.state)) for one in self.subscriptions})
        self.assertEqual([one.tenant_id for one in self.root.tenants.list()], [CLOUD.tenant])

    def test_a_subscription_is_read_alone(self):
        one = self.subscriptions[0]
        self.assertEqual(self.root.subscriptions.get(one.subscription_id).display_name, one.display_name)
        with self.assertRaises(ResourceNotFoundError) as refused:
            self.root.subscriptions.get(str(uuid.uuid4()))
        self.assertEqual(refused.exception.error.code, "SubscriptionNotFound")

    def test_resources_are_listed_to_the_last_page(self):
        seen, largest = set(), 0
        for one in self.subscriptions:
            resources = list(self.of(one).resources.list(expand="createdTime,changedTime,provisioningState"))
            largest = max(largest, len(resources))
            seen |= {resource.id.lower() for resource in resources}
            self.assertTrue(all(resource.type and resource.name for resource in resources))
        self.assertEqual(len(seen), simulated.RESOURCES)
        self.assertGreater(largest, 1_000, "no list had a second page")

    def test_a_page_may_be_shorter(self):
        pages = self.of(self.subscriptions[0]).resources.list(top=7).by_page()
        self.assertEqual(len(list(next(pages))), 7)
        self.assertEqual(len(list(next(pages))), 7)

    def test_resource_groups_hold_the_resources(self):
        manager = self.of(self.subscriptions[0])
        groups = {group.name.lower() for group in manager.resource_groups.list()}
        used = {resource.id.split("/")[4].lower() for resource in manager.resources.list()}
        self.assertTrue(used)
        self.assertLessEqual(used, groups)

    def test_providers_say_what_can_be_tagged(self):
        providers = {one.namespace.lower(): one for one in self.of(self.subscriptions[0]).providers.list()}
        types = {kind.resource_type.lower(): kind for kind in providers["microsoft.compute"].resource_types}
        self.assertIn("SupportsTags", types["virtualmachines"].capabilities)


class Roles(unittest.TestCase):
    """azure-mgmt-authorization"""

    def setUp(self):
        subscriptions = client(SubscriptionClient).subscriptions.list()
        first = next(one for one in subscriptions if str(getattr(one.state, "value", one.state)) == "Enabled")
        self.subscription = first.subscription_id
        self.scope = f"/subscriptions/{self.subscription}"
        self.client = client(AuthorizationManagementClient, self.subscription)
        self.principal = own_principal()

    def assignment(self, role=READER, principal=None):
        return {"role_definition_id": f"{self.scope}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                "principal_id": principal or self.principal, "principal_type": "ServicePrincipal"}

    def test_a_role_is_assigned_read_listed_and_taken_away(self):
        name = str(uuid.uuid4())
        made = self.client.role_assignments.create(self.scope, name, self.assignment(TAG_CONTRIBUTOR))
        again = self.client.role_assignments.create(self.scope, name, self.assignment(TAG_CONTRIBUTOR))
        read = self.client.role_assignments.get(self.scope, name)
        listed = self.client.role_assignments.list_for_scope(
            self.scope, filter=f"principalId eq '{self.principal}'")
        self.assertIn(name, {one.name for one in listed})
        self.assertIn(name, {one.name for one in self.client.role_assignments.list_for_subscription()})
        self.assertEqual(len({made.id.lower(), again.id.lower(), read.id.lower()}), 1)
        self.assertEqual(read.role_definition_id.rsplit("/", 1)[1], TAG_CONTRIBUTOR)
        self.assertEqual(self.client.role_assignments.delete(self.scope, name).name, name)
        self.assertIsNone(self.client.role_assignments.delete(self.scope, name))
        with self.assertRaises(ResourceNotFoundError):
            self.client.role_assignments.get(self.scope, name)

    def test_an_assignment_says_what_its_principal_is(self):
        listed = self.client.role_assignments.list_for_scope(self.scope, filter=f"assignedTo('{self.principal}')")
        self.assertEqual({one.principal_type for one in listed}, {"ServicePrincipal"})

    def test_the_same_role_under_another_name_exists_already(self):
        name = str(uuid.uuid4())
        self.client.role_assignments.create(self.scope, name, self.assignment())
        with self.assertRaises(ResourceExistsError) as refused:
            self.client.role_assignments.create(self.scope, str(uuid.uuid4()), self.assignment())
        self.client.role_assignments.delete(self.scope, name)
        self.assertEqual(refused.exception.error.code, "RoleAssignmentExists")

    def test_an_unknown_role_says_so(self):
        with self.assertRaises(HttpResponseError) as refused:
            self.client.role_assignments.create(
                self.scope, str(uuid.uuid4()), self.assignment(role=str(uuid.uuid4())))
        self.assertEqual(refused.exception.error.code, "RoleDefinitionDoesNotExist")

    def test_built_in_roles_are_found_by_name(self):
        for name, id in [("Reader", READER), ("Tag Contributor", TAG_CONTRIBUTOR)]:
            found = list(self.client.role_definitions.list(self.scope, filter=f"roleName eq '{name}'"))
            self.assertEqual([one.name for one in found], [id])
            self.assertTrue(found[0].permissions[0].actions)

    def test_permissions_are_listed_by_page(self):
        listed = list(self.client.role_assignments.list_for_scope(self.scope, filter="atScope()"))
        self.assertTrue(all(one.scope and one.principal_id for one in listed))


class Tags(unittest.TestCase):
    """azure-mgmt-resource, tags by themselves"""

    def setUp(self):
        subscriptions = client(SubscriptionClient).subscriptions.list()
        first = next(one for one in subscriptions if str(getattr(one.state, "value", one.state)) == "Enabled")
        self.manager = client(ResourceManagementClient, first.subscription_id)
        self.subscription = f"subscriptions/{first.subscription_id}"
        group = next(iter(self.manager.resource_groups.list()))
        machines = self.manager.resources.list(filter="resourceType eq 'Microsoft.Compute/virtualMachines'")
        self.scopes = [self.subscription, group.id.lstrip("/"), next(iter(machines)).id.lstrip("/")]

    def patch(self, scope, operation, **tags):
        body = {"operation": operation, "properties": {"tags": tags}}
        return self.manager.tags.begin_update_at_scope(scope, body).result().properties.tags

    def test_tags_are_merged_replaced_deleted_and_read_at_every_scope(self):
        for scope in self.scopes:
            before = self.manager.tags.get_at_scope(scope).properties.tags or {}
            merged = self.patch(scope, "Merge", Env="Prod", owner="us")
            self.assertEqual((merged["Env"], {name.lower() for name in before} - {name.lower() for name in merged}),
                             ("Prod", set()))
            self.assertEqual(self.patch(scope, "Merge", ENV="Test")["Env"], "Test", "the case that is there stays")
            self.assertIn("Env", self.patch(scope, "Delete", Env="another value"))
            self.assertNotIn("Env", self.patch(scope, "Delete", env="Test"))
            self.assertEqual(self.patch(scope, "Replace", only="this"), {"only": "this"})
            put = self.manager.tags.begin_create_or_update_at_scope(scope, {"properties": {"tags": before}}).result()
            self.assertEqual(put.properties.tags or {}, before)
            self.assertEqual(self.manager.tags.get_at_scope(scope).properties.tags or {}, before)

    def test_all_tags_are_removed_at_once(self):
        scope = self.scopes[1]
        self.patch(scope, "Merge", gone="1")
        self.manager.tags.begin_delete_at_scope(scope).result()
        self.assertEqual(self.manager.tags.get_at_scope(scope).properties.tags or {}, {})

    def test_what_azure_does_not_take_is_refused_by_its_code(self):
        for tags, code in [({"a/b": "1"}, "InvalidTagNameCharacters"), ({"n" * 513: "1"}, "InvalidTagName"),
                           ({"n": "v" * 257}, "InvalidTagValueLength"),
                           ({f"n{number}": "" for number in range(51)}, "InvalidTags")]:
            with self.assertRaises(HttpResponseError) as refused:
                self.patch(self.scopes[2], "Merge", **tags)
            self.assertEqual(refused.exception.error.code, code)

    def test_what_is_not_there_has_no_tags(self):
        with self.assertRaises(ResourceNotFoundError):
            self.manager.tags.get_at_scope(f"{self.subscription}/resourceGroups/nowhere")


class Graph(unittest.TestCase):
    """azure-mgmt-resourcegraph"""

    def ask(self, query, **options):
        return client(ResourceGraphClient).resources({"query": query, "options": options})

    def test_resources_are_queried_to_the_last_page(self):
        seen, token, pages = set(), None, 0
        while pages == 0 or token:
            page = self.ask(QUERY, **{"$top": 1_000, "resultFormat": "objectArray"}
                            | ({"$skipToken": token} if token else {}))
            self.assertEqual(page.total_records, simulated.RESOURCES)
            self.assertEqual(page.count, len(page.data))
            seen |= {row["id"].lower() for row in page.data}
            token, pages = page.skip_token, pages + 1
        self.assertEqual(len(seen), simulated.RESOURCES)
        self.assertEqual(pages, simulated.RESOURCES // 1_000)

    def test_a_table_has_columns_and_rows(self):
        page = self.ask(QUERY, **{"$top": 5, "resultFormat": "table"})
        self.assertEqual([column["name"] for column in page.data["columns"]][:2], ["id", "name"])
        self.assertEqual(len(page.data["rows"]), 5)

    def test_one_subscription_is_asked_for_alone(self):
        one = next(iter(client(SubscriptionClient).subscriptions.list())).subscription_id
        page = client(ResourceGraphClient).resources({"query": QUERY, "subscriptions": [one]})
        self.assertEqual({row["subscriptionId"].lower() for row in page.data}, {one})

    def test_a_wrong_query_says_so(self):
        with self.assertRaises(HttpResponseError) as refused:
            self.ask("resources | frobnicate")
        self.assertEqual(refused.exception.status_code, 400)
        self.assertEqual(refused.exception.error.code, "BadRequest")


class CommandLine(unittest.TestCase):
    """azure-cli"""

    @classmethod
    def setUpClass(cls):
        cls.az = Az(CLOUD.url, CLOUD.authority_file, CLOUD.tenant, CLOUD.client_id, CLOUD.folder / "az")
        # First: once there is a token in its cache, it does not look at the secret any more.
        cls.refusal = cls.az.run(*cls.az.login_arguments("wrong"))
        cls.subscriptions = cls.az(*cls.az.login_arguments(CLOUD.client_secret))
        cls.enabled = next(one for one in cls.subscriptions if one["state"] == "Enabled")["id"]

    def test_it_signed_in_and_sees_every_subscription(self):
        self.assertEqual(len(self.subscriptions), simulated.SUBSCRIPTIONS)
        self.assertEqual({one["tenantId"] for one in self.subscriptions}, {CLOUD.tenant})
        self.assertEqual({one["cloudName"] for one in self.subscriptions}, {"Simulated"})

    def test_a_wrong_secret_says_so(self):
        self.assertNotEqual(self.refusal.returncode, 0)
        self.assertIn("AADSTS7000215", self.refusal.stderr)

    def test_resources_are_listed_to_the_last_page(self):
        count = 0
        for one in self.subscriptions:
            ids = self.az("resource", "list", "--subscription", one["id"], "--query", "[].id")
            self.assertEqual(len(ids), len({id.lower() for id in ids}))
            count += len(ids)
        self.assertEqual(count, simulated.RESOURCES)

    def test_resource_groups_are_listed(self):
        groups = self.az("group", "list", "--subscription", self.enabled)
        self.assertTrue(groups)
        self.assertTrue(all(group["properties"]["provisioningState"] for group in groups))

    def test_a_role_is_assigned_listed_and_taken_away(self):
        scope, principal = f"/subscriptions/{self.enabled}", own_principal()
        before = self.az.role_assignments(self.enabled)
        made = self.az("role", "assignment", "create", "--role", "Tag Contributor", "--scope", scope,
                       "--assignee-object-id", principal, "--assignee-principal-type", "ServicePrincipal",
                       "--description", "For a while")
        between = self.az.role_assignments(self.enabled)
        self.az("role", "assignment", "delete", "--ids", made["id"])
        added = [one for one in between if one not in before]
        self.assertEqual([(one["id"], one["roleDefinitionName"], one["principalId"], one["description"])
                          for one in added], [(made["id"], "Tag Contributor", principal, "For a while")])
        self.assertEqual([one for one in between if one in before], before)
        self.assertEqual(self.az.role_assignments(self.enabled), before)

    def test_resource_graph_is_queried(self):
        body = json.dumps({"query": QUERY, "options": {"$top": 1_000}})
        page = self.az("rest", "--method", "post", "--body", body, "--resource", CLOUD.url, "--url",
                       f"{CLOUD.url}/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01")
        self.assertEqual(page["totalRecords"], simulated.RESOURCES)
        self.assertEqual(len(page["data"]), 1_000)


CHANGE = """mutation($id: ID!) { changeAccess(input: { subscriptionIds: [$id], level: WRITE_TAGS }) {
  userErrors { code consentUrl } } }"""
DISCONNECT = """mutation($id: ID!) { disconnectTenant(input: { tenantId: $id, data: KEEP }) {
  userErrors { code consentUrl } } }"""


class Onboarding(unittest.TestCase):
    """azure-cli looks at what Tenantry did"""

    @classmethod
    def setUpClass(cls):
        cls.az = Az(CLOUD.url, CLOUD.authority_file, CLOUD.tenant, CLOUD.client_id, CLOUD.folder / "az-of-onboarding")
        cls.az(*cls.az.login_arguments(CLOUD.client_secret))
        cls.tenantry = Tenantry.start(CLOUD)
        cls.addClassCleanup(cls.tenantry.stop)

    def test_it_assigned_a_reader_where_it_says_so_and_nothing_else(self):
        ids = [one["id"] for one in self.az("account", "list", "--all")]
        before = {id: self.az.role_assignments(id) for id in ids}

        steps = self.tenantry.consent("owner")["operation"]["steps"]["nodes"]

        outcomes = {step["subscription"]["azureSubscriptionId"]: step["outcome"] for step in steps}
        self.assertIn("GRANTED", outcomes.values())
        self.assertIn("INHERITED", outcomes.values())
        settings = CLOUD.settings
        principal = own_principal(client_id=settings["MICROSOFT_CLIENT_ID"],
                                  client_secret=settings["MICROSOFT_CLIENT_SECRET"])
        for id in ids:
            added = [one for one in self.az.role_assignments(id) if one not in before[id]]
            expected = [("Reader", "ServicePrincipal")] if outcomes.get(id) == "GRANTED" else []
            self.assertEqual([(one["roleDefinitionName"], one["principalType"]) for one in added], expected)
            of_ours = self.az.role_assignments(id, "--assignee-object-id", principal)
            self.assertEqual(of_ours, added)
            self.assertTrue(all(one["description"].startswith("Assigned by Tenantry") for one in added), added)

    def test_what_it_removed_is_gone_and_what_others_assigned_is_not(self):
        steps = self.tenantry.consent("owner")["operation"]["steps"]["nodes"]
        granted = [step["subscription"] for step in steps if step["outcome"] in ("GRANTED", "ALREADY_GRANTED")]
        ids = [one["id"] for one in self.az("account", "list", "--all")]
        principal = own_principal(client_id=CLOUD.settings["MICROSOFT_CLIENT_ID"],
                                  client_secret=CLOUD.settings["MICROSOFT_CLIENT_SECRET"])

        def others():
            return {id: [one for one in self.az.role_assignments(id) if one["principalId"] != principal] for id in ids}

        def ours(id):
            held = self.az.role_assignments(id, "--assignee-object-id", principal)
            return [one["roleDefinitionName"] for one in held]

        before, swapped = others(), granted[0]
        self.assertEqual(ours(swapped["azureSubscriptionId"]), ["Reader"])

        changed = self.tenantry.by_consent("owner", CHANGE, {"id": swapped["id"]})
        self.assertEqual([step["outcome"] for step in changed["steps"]["nodes"]], ["CHANGED"], changed)
        self.assertEqual(ours(swapped["azureSubscriptionId"]), ["Tag Contributor"])
        self.assertEqual(ours(granted[1]["azureSubscriptionId"]), ["Reader"])

        tenant = self.tenantry.ask("{ tenants { nodes { id } } }")["tenants"]["nodes"][0]["id"]
        gone = self.tenantry.by_consent("owner", DISCONNECT, {"id": tenant})
        self.assertEqual(gone["state"], "SUCCEEDED", gone)
        self.assertEqual([ours(id) for id in ids], [[]] * len(ids))
        self.assertEqual(others(), before)


def main():
    # azure-identity logs what it raises as well.
    logging.disable()
    try:
        result = unittest.main(exit=False, verbosity=2, warnings="ignore").result
    finally:
        CLOUD.stop()
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # What fails before its first test has run is counted too.
    print(f"\n{max(result.testsRun - failed, 0)} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
