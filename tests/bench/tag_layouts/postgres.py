"""The layouts on PostgreSQL: their tables and indexes, how a batch is stored, and how they are asked."""

import json

from resources import BATCH, BIG, CHANGED, PAGE, filters, own_term, resources, term, terms


def escaped(value):
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def array(items):
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


def stage(server, count):
    """Puts what a scan would send into the server, so that only storing is timed."""
    rows = server.folder / "given.tsv"
    tags = server.folder / "given_tag.tsv"
    with rows.open("w") as to, tags.open("w") as tags_to:
        for number, resource in enumerate(resources(count)):
            batch = number // BATCH
            found = terms(resource["tags"])
            row = [batch, resource["id"], resource["organization"], resource["subscription"], resource["arm_id"],
                   resource["name"], json.dumps(resource["tags"]),
                   json.dumps({name.lower(): value for name, value in resource["tags"].items()}), array(found),
                   json.dumps(found), json.dumps([own_term(resource["organization"], one) for one in found])]
            to.write("\t".join(escaped(str(value)) for value in row) + "\n")
            for name, value in resource["tags"].items():
                one = [batch, resource["id"], resource["organization"], name.lower(), name, value]
                tags_to.write("\t".join(escaped(str(value)) for value in one) + "\n")
    server.sql(f"""
        create unlogged table given (batch int, id uuid, organization_id uuid, subscription_id uuid, arm_id text,
            name text, tags jsonb, folded jsonb, terms text[], json_terms jsonb, own_terms jsonb);
        create unlogged table given_tag (batch int, resource_id uuid, organization_id uuid, name_folded text,
            name text, value text);
        \\copy given from '{rows}'
        \\copy given_tag from '{tags}'
        create index on given (batch); create index on given_tag (batch);
        vacuum analyze given; vacuum analyze given_tag; checkpoint;
    """)
    rows.unlink()
    tags.unlink()


PLAIN = "id, organization_id, subscription_id, arm_id, name"


class Layout:
    """One way to store tags: its tables and indexes, how a batch is stored, and how it is asked."""

    def __init__(self, title, columns="", given="", index="", has=None, tags="r.tags", change="", rows=False):
        self.title, self.columns, self.given, self.index = title, columns, given, index
        self.has, self.tags, self.change, self.rows = has, tags, change, rows

    def create(self):
        extra = """create table resource_tag (resource_id uuid not null, organization_id uuid not null,
            name_folded text not null, name text not null, value text not null, primary key (resource_id, name_folded));
            """ if self.rows else ""
        return f"""drop table if exists resource, resource_tag; checkpoint;
            create table resource (id uuid primary key, organization_id uuid not null, subscription_id uuid not null,
                arm_id text not null, name text not null, resource_type text not null default
                'microsoft.compute/virtualmachines', location text default 'westeurope', content_hash bigint default 7,
                first_seen_at timestamptz not null default now(), changed_at timestamptz not null default now(),
                deleted_at timestamptz {self.columns});
            {extra}
            create index on resource (organization_id, subscription_id, id);
            create index on resource (organization_id, lower(name collate "C"), id) where deleted_at is null;
            {self.index}"""

    def store(self, batches):
        given = "".join(f", {column}" for column in self.given.split())
        columns = "".join(f", {column.split()[0]}" for column in self.columns.strip(", ").split(",") if column)
        tags = "insert into resource_tag (resource_id, organization_id, name_folded, name, value) select resource_id, " \
               "organization_id, name_folded, name, value from given_tag where batch = n;" if self.rows else ""
        return f"""do $$ begin for n in 0..{batches - 1} loop
            insert into resource ({PLAIN}{columns}) select {PLAIN}{given} from given where batch = n; {tags}
            commit; end loop; end $$;"""

    def count(self, organization, where):
        return f"select count(*) from resource r where r.organization_id = '{organization}' " \
               f"and r.deleted_at is null and {where}"

    def page(self, organization, where):
        return f"select r.id, r.name, {self.tags} from resource r where r.organization_id = '{organization}' " \
               f"and r.deleted_at is null and {where} order by lower(r.name collate \"C\"), r.id limit {PAGE}"


def by_row(organization, name, value=None):
    also = "" if value is None else f" and t.value = '{value}'"
    return "exists (select from resource_tag t where t.resource_id = r.id " \
           f"and t.organization_id = '{organization}' and t.name_folded = '{name}'{also})"


def by_folded(_, name, value=None):
    # jsonb_path_ops answers whether a name is there only as a path, not by the operator `?`.
    if value is None:
        return f"r.folded @? '$.{name}'"
    return f"r.folded @> '{json.dumps({name: value})}'::jsonb"


def by_terms(_, name, value=None):
    return f"r.tag_terms @> '{array([term(name, value)])}'::text[]"


def by_json_terms(_, name, value=None):
    return f"r.tag_terms @> '{json.dumps([term(name, value)])}'::jsonb"


def by_own_terms(organization, name, value=None):
    return f"r.tag_terms @> '[{own_term(organization, term(name, value))}]'::jsonb"


OF_CHANGED = "id = any (select id from changed)"
TAG_ROWS_OF = "(select jsonb_object_agg(t.name, t.value) from resource_tag t where t.resource_id = r.id)"


def gin(column, operators, fast):
    return f"create index tags_found on resource using gin ({column} {operators}) with (fastupdate = {fast}) " \
           "where deleted_at is null;"


def layouts():
    yield Layout("none: `jsonb`, no index", ", tags jsonb", "tags")
    yield Layout("(a) a row per tag", index="create index on resource_tag (organization_id, name_folded, value);",
                 has=by_row, tags=TAG_ROWS_OF, rows=True,
                 change="update resource_tag set value = 'changed' where name_folded = 'environment' "
                        "and resource_id = any (select id from changed)")
    for fast in ["on", "off"]:
        yield Layout(f"(b) folded `jsonb`, GIN path_ops, fastupdate {fast}", ", tags jsonb, folded jsonb",
                     "tags folded", gin("folded", "jsonb_path_ops", fast), by_folded,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"folded = folded || '{{\"environment\": \"changed\"}}' where {OF_CHANGED}")
    for fast in ["on", "off"]:
        yield Layout(f"(c) `jsonb` + `text[]` terms, GIN array_ops, fastupdate {fast}",
                     ", tags jsonb, tag_terms text[]", "tags terms", gin("tag_terms", "array_ops", fast), by_terms,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"tag_terms = tag_terms || E'environment\\nchanged'::text where {OF_CHANGED}")
    for fast in ["on", "off"]:
        yield Layout(f"(d) `jsonb` + `jsonb` terms, GIN path_ops, fastupdate {fast}",
                     ", tags jsonb, tag_terms jsonb", "tags json_terms", gin("tag_terms", "jsonb_path_ops", fast),
                     by_json_terms,
                     change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                            f"tag_terms = tag_terms || '[\"environment\\nchanged\"]' where {OF_CHANGED}")
    yield Layout("(e) `jsonb` + terms hashed with the organization, GIN path_ops, fastupdate on",
                 ", tags jsonb, tag_terms jsonb", "tags own_terms", gin("tag_terms", "jsonb_path_ops", "on"),
                 by_own_terms, change="update resource set tags = tags || '{\"Environment\": \"changed\"}', "
                                      f"tag_terms = tag_terms || '[1]' where {OF_CHANGED}")


def measure_postgres(server, layout, count):
    server.sql(layout.create())
    figures = {"stored, rows/s": count / server.seconds(layout.store(-(-count // BATCH)))}
    if "fastupdate = on" in layout.index:
        figures["then merged, s"] = server.seconds("select gin_clean_pending_list('tags_found')")
    server.sql("vacuum analyze resource;" + (" vacuum analyze resource_tag;" if layout.rows else ""))
    sizes = "select sum(pg_total_relation_size(c))/1e6 from unnest(array['resource'{}]::regclass[]) c"
    figures["disk, MB"] = float(server.sql(sizes.format(", 'resource_tag'" if layout.rows else "")))
    index = "resource_tag_organization_id_name_folded_value_idx" if layout.rows else "tags_found"
    if layout.has is None:
        return figures
    figures["tag index, MB"] = float(server.sql(f"select pg_relation_size('{index}')/1e6"))
    for title, (organization, where) in filters(layout.has).items():
        figures[f"{title}: rows"] = int(server.sql(layout.count(organization, where)))
        figures[f"{title}: count, ms"] = server.query(layout.count(organization, where))
        figures[f"{title}: page, ms"] = server.query(layout.page(organization, where))
        if "'::" in where:
            figures[f"{title}: page, prepared, ms"] = server.query(layout.page(organization, where), prepared=True)
    server.sql(f"drop table if exists changed; create table changed as select resource_id as id from given_tag "
               f"where name_folded = 'environment' and organization_id = '{BIG}' order by resource_id limit {CHANGED}")
    figures["change 1,000, ms"] = 1_000 * server.seconds(layout.change)
    return figures
