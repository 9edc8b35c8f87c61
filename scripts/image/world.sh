# Sourced by bash: a Kafka and a PostgreSQL on this machine that take nothing but TLS and passwords, at the names and ports of a cluster's
# services, with the topics, users, roles and rights that an overlay's manifests name.

subnet=10.89.77
gateway=$subnet.1
# For this script itself, in plain text on the loopback interface.
broker=127.0.0.1:19099

secret() { mkdir -p "$world/secrets/$1" && cat >"$world/secrets/$1/$2"; }
random() { openssl rand -hex 20 | tr -d '\n'; }

make_secrets() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=Authority of a test' \
        -keyout "$world/ca.key" -out "$world/ca.crt" 2>/dev/null
    for host in streamflow-kafka-bootstrap streamflow-postgres-rw; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" \
            -keyout "$world/$host.key" -out "$world/$host.csr" 2>/dev/null
        printf 'subjectAltName=DNS:%s\n' "$host" >"$world/$host.ext"
        openssl x509 -req -days 2 -in "$world/$host.csr" -CA "$world/ca.crt" -CAkey "$world/ca.key" -CAcreateserial \
            -extfile "$world/$host.ext" -out "$world/$host.crt" 2>/dev/null
    done
    for name in streamflow-postgres-app streamflow-cluster-password $("$python" - "$world/overlay.yaml" <<'USERS'
import sys, yaml
for manifest in yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")):
    if manifest["kind"] == "KafkaUser":
        print(manifest["metadata"]["name"])
    if manifest["kind"] == "DatabaseRole" and "passwordSecret" in manifest["spec"]:
        print(manifest["spec"]["passwordSecret"]["name"])
USERS
    ); do
        random | secret "$name" password
    done
    for name in streamflow-cluster-ca-cert streamflow-postgres-ca; do secret $name ca.crt <"$world/ca.crt"; done
}

jvm=(java -Dlog4j2.configurationFile=harness/src/kafka/log4j2.properties -Xmx512m -XX:+UseSerialGC -cp '.cache/kafka/*')

start_kafka() {
    cat "$world/streamflow-kafka-bootstrap.key" "$world/streamflow-kafka-bootstrap.crt" >"$world/broker.pem"
    cat >"$world/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19098
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$broker,CONTROLLER://127.0.0.1:19098,SASL_SSL://$gateway:9093
advertised.listeners=PLAINTEXT://$broker,SASL_SSL://streamflow-kafka-bootstrap:9093
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$world/broker.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs=$world/kafka
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
PROPERTIES
    "${jvm[@]}" kafka.tools.StorageTool format -t c3RyZWFtZmxvdy10ZXN0cw -c "$world/server.properties" >"$world/kafka.log" 2>&1
    "${jvm[@]}" kafka.Kafka "$world/server.properties" >>"$world/kafka.log" 2>&1 &
    kafka=$!
    # The client tries again, but complains about each time.
    until (exec 3<>"/dev/tcp/${broker%:*}/${broker#*:}") 2>/dev/null; do
        kill -0 $kafka || return 1
        sleep 0.1
    done
    "$python" scripts/image/kafka.py "$world/overlay.yaml" "$broker" "$world/secrets"
}

as_postgres=(setpriv --reuid postgres --regid postgres --init-groups)
sql() { "${as_postgres[@]}" "$postgres_bin/psql" -h "$world/postgres" -d "$1" -XAtq -v ON_ERROR_STOP=1 -f -; }

start_postgres() {
    postgres_bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
    mkdir "$world/postgres"
    cp "$world/streamflow-postgres-rw.crt" "$world/streamflow-postgres-rw.key" "$world/postgres/"
    chmod 0600 "$world/postgres/streamflow-postgres-rw.key"
    chown -R postgres:postgres "$world/postgres"
    chmod o+x "$world"
    "${as_postgres[@]}" "$postgres_bin/initdb" -D "$world/postgres/data" -A trust >"$world/postgres.log"
    printf 'local all all trust\nhostssl all all %s.0/24 scram-sha-256\n' "$subnet" |
        "${as_postgres[@]}" tee "$world/postgres/data/pg_hba.conf" >/dev/null
    "${as_postgres[@]}" "$postgres_bin/postgres" -D "$world/postgres/data" -k "$world/postgres" -c "listen_addresses=$gateway" -c port=5432 \
        -c ssl=on -c "ssl_cert_file=$world/postgres/streamflow-postgres-rw.crt" \
        -c "ssl_key_file=$world/postgres/streamflow-postgres-rw.key" >>"$world/postgres.log" 2>&1 &
    postgres=$!
    until "${as_postgres[@]}" "$postgres_bin/pg_isready" -q -h "$world/postgres"; do sleep 0.1; done
    # The owner may not create roles: the operator has made those that the manifests name.
    {
        echo "CREATE ROLE streamflow_owner LOGIN PASSWORD '$(cat "$world/secrets/streamflow-postgres-app/password")';"
        echo 'CREATE DATABASE streamflow OWNER streamflow_owner;'
        "$python" - "$world/overlay.yaml" "$world/secrets" <<'ROLES'
import sys, yaml
manifests = yaml.safe_load_all(open(sys.argv[1], encoding="utf-8"))
roles = [manifest["spec"] for manifest in manifests if manifest["kind"] == "DatabaseRole"]
# Groups before their members.
for spec in sorted(roles, key=lambda spec: len(spec.get("inRoles", []))):
    line = f"CREATE ROLE {spec['name']}"
    if spec.get("login"):
        password = open(f"{sys.argv[2]}/{spec['passwordSecret']['name']}/password", encoding="utf-8").read()
        line += f" LOGIN PASSWORD '{password}'"
    line += "".join(f" IN ROLE {role}" for role in spec.get("inRoles", []))
    print(line + ";")
ROLES
    } | sql postgres
}

# Those of one world only, by their ids.
stop_world() {
    engine pod rm --all --force >/dev/null 2>&1 || true
    engine rm --force streamflow-test-holder >/dev/null 2>&1 || true
    [ -z "${kafka:-}" ] || { kill "$kafka" && wait "$kafka"; } 2>/dev/null || true
    [ -z "${postgres:-}" ] || { kill -QUIT "$postgres" && wait "$postgres"; } 2>/dev/null || true
    kafka='' postgres=''
    for old in $(engine network ls --quiet --filter name=streamflow-test); do engine network rm --force "$old" >/dev/null 2>&1 || true; done
    rm -rf "$world"
}

start_world() {
    mkdir -p "$world"
    # A name of its own: of an interrupted run podman remembers addresses as taken, by the network's name.
    network=streamflow-test-$(date +%s)
    engine network create --subnet $subnet.0/24 --gateway $gateway "$network" >/dev/null
    # The network's interface is there as long as somebody uses it.
    engine run --detach --rm --name streamflow-test-holder --network "$network" --entrypoint sleep "$image" infinity >/dev/null
    make_secrets
    start_kafka
    start_postgres
}
