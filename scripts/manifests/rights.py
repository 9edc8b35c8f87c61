"""Checks who may do what: that each user of Kafka and PostgreSQL has its password, no right too many, and a way to the servers."""

# The pipeline's own user of Kafka.
PIPELINE = "streamflow"
# Groups of PostgreSQL itself that one may be a member of; all others come from DatabaseRole objects.
FOREIGN_GROUPS = {"pg_read_all_data"}
POWERS = ("superuser", "createrole", "createdb", "bypassrls", "replication")
KAFKA, POSTGRES = 9093, 5432


def check(overlay, topics, passwords):
    """Yields (holds, what is wrong where it does not). `topics` are the program's, `passwords` database roles by their Secret."""
    yield from check_kafka_users(overlay, topics)
    yield from check_database_roles(overlay, passwords)
    yield from check_ways(overlay)


def check_kafka_users(overlay, topics):
    """Rights are for topics that are there, one by one; what the pipeline writes nobody else does."""
    own = {topics["alerts"], topics["metrics"], topics["dead_letters"], topics["progress"], topics["clock"]}
    for name, user in overlay.all("KafkaUser").items():
        where = f"KafkaUser {name}"
        yield user["spec"].get("authentication") == {"type": "scram-sha-512"}, f"{where} needs a password that the listener asks for"
        for acl in user["spec"].get("authorization", {}).get("acls", []):
            resource, operations = acl["resource"], set(acl.get("operations", []))
            of = f"{where}: {resource['type']} {resource.get('name')}"
            yield resource.get("patternType", "literal") == "literal" and resource.get("name") != "*", f"{of}: a pattern covers what is not there yet"
            yield operations.isdisjoint({"All", "Alter", "AlterConfigs", "Delete"}), f"{of}: a right too many"
            if resource["type"] == "topic":
                yield resource.get("name") in overlay.all("KafkaTopic"), f"{of}: no such topic"
                foreign = name != PIPELINE and resource.get("name") in own
                yield not (foreign and operations & {"Write", "Create"}), f"{of}: only the pipeline writes it"


def check_database_roles(overlay, passwords):
    """Groups are there; whoever logs in has no power of its own, the rights of one group, and the password of its name."""
    roles = {role["spec"]["name"] for role in overlay.all("DatabaseRole").values()} | FOREIGN_GROUPS
    for name, role in overlay.all("DatabaseRole").items():
        spec, where = role["spec"], f"DatabaseRole {name}"
        for group in spec.get("inRoles", []):
            yield group in roles, f"{where}: nobody makes role {group}"
        yield not any(spec.get(power) for power in POWERS), f"{where}: a power too many"
        if spec.get("login"):
            yield len(spec.get("inRoles", [])) == 1, f"{where}: who logs in is in one group"
            secret = spec.get("passwordSecret", {}).get("name")
            yield passwords.get(secret) == spec["name"], f"{where}: Secret {secret} is not that of {spec['name']}"


def check_ways(overlay):
    """A way that one side's policy opens is open on the other side as well: from our pods to Kafka and PostgreSQL."""
    for owner, pod in overlay.pods().items():
        labels = pod["metadata"]["labels"]
        ports = {port["port"] for rule in rules(overlay, labels, "egress") for port in rule.get("ports", [])}
        if KAFKA in ports:
            yield any(selects(peer.get("podSelector"), labels) for peer in listener_peers(overlay)), f"{owner}: Kafka's listener does not let it in"
        if POSTGRES in ports:
            yield any(lets_in(overlay, {"cnpg.io/cluster": name}, labels) for name in overlay.all("Cluster")), f"{owner}: PostgreSQL does not let it in"


def rules(overlay, labels, direction):
    """The rules of all policies that select a pod with these labels."""
    for policy in overlay.all("NetworkPolicy").values():
        if selects(policy["spec"]["podSelector"], labels):
            yield from policy["spec"].get(direction, [])


def listener_peers(overlay):
    return [peer for kafka in overlay.all("Kafka").values() for listener in kafka["spec"]["kafka"]["listeners"]
            for peer in listener.get("networkPolicyPeers", [])]


def lets_in(overlay, server, client):
    return any(
        selects(peer.get("podSelector"), client) and "namespaceSelector" not in peer and POSTGRES in {port["port"] for port in rule["ports"]}
        for rule in rules(overlay, server, "ingress")
        for peer in rule.get("from", [])
    )


def selects(selector, labels):
    """Whether a selector selects a pod with these labels; one that is not there selects none."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )
