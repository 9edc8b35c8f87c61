#!/usr/bin/env python3
"""Gives a Kafka what an overlay's KafkaTopic and KafkaUser objects say, as Strimzi's operators would.

usage: kafka.py RENDERED_OVERLAY BROKERS SECRETS_DIRECTORY
A user's password is SECRETS_DIRECTORY/USER/password. Of the number of copies nothing is taken: there is one broker.
"""

import os
import sys

import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

OPERATIONS = {
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
WITHIN = 30


def done(futures):
    for future in futures.values():
        future.result(WITHIN)


def topic(manifest):
    spec = manifest["spec"]
    config = {key: str(value) for key, value in spec.get("config", {}).items()}
    return NewTopic(manifest["metadata"]["name"], spec["partitions"], 1, config=config)


def rights(user):
    for acl in user["spec"]["authorization"]["acls"]:
        for operation in acl["operations"]:
            yield AclBinding(
                RESOURCES[acl["resource"]["type"]],
                acl["resource"]["name"],
                ResourcePatternType.LITERAL,
                f"User:{user['metadata']['name']}",
                "*",
                OPERATIONS[operation],
                AclPermissionType.ALLOW,
            )


def credential(user, secrets):
    name = user["metadata"]["name"]
    with open(os.path.join(secrets, name, "password"), "rb") as file:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        return UserScramCredentialUpsertion(name, info, file.read())


def main():
    overlay, brokers, secrets = sys.argv[1:]
    with open(overlay, encoding="utf-8") as file:
        manifests = list(yaml.safe_load_all(file))
    of_kind = lambda kind: [manifest for manifest in manifests if manifest["kind"] == kind]
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.list_topics(timeout=WITHIN)
    done(admin.create_topics([topic(manifest) for manifest in of_kind("KafkaTopic")]))
    users = of_kind("KafkaUser")
    done(admin.alter_user_scram_credentials([credential(user, secrets) for user in users]))
    done(admin.create_acls([right for user in users for right in rights(user)]))


if __name__ == "__main__":
    main()
