#!/usr/bin/env bash
# Apache Kafka, one node, while standard input is open.
#
#   kafka.sh                        serves on the ports below
#   KAFKA_NODES=3 KAFKA_NODE=0      one node of three, which has to be started with KAFKA_NODE=1 and 2 at the same time; the ports of
#                                   node n are the ones below, from KAFKA_PORT + 8 n on
#   kafka.sh tool CLASS ARGS...     runs one of Kafka's own tools, such as org.apache.kafka.tools.TopicCommand
#
# With KAFKA_PORT=P, by default 9092, it listens on
#   P    plaintext                  P+1  its controller
#   P+2  plaintext, and tells clients to come to P+3: a proxy goes between the two
#   P+4  TLS                        P+5  TLS and SASL        P+6  SASL
#   P+7  TLS, with a certificate that has expired
# SASL knows PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, and the user alice with the password alice-secret. Topics are made when
# somebody writes to them. The certificate to trust is ca.pem in the folder of the data.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
nodes="${KAFKA_NODES:-1}"
node="${KAFKA_NODE:-0}"
first="${KAFKA_PORT:-9092}"
port=$((first + 8 * node))
# Of three nodes two are enough, to write and to elect.
replicas="$nodes"
enough=$(((nodes + 1) / 2))
heap=$((nodes > 1 ? 256 : 512))

fetch_jars() {
  need mvn maven
  mvn -q -B -f "$here/kafka/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$1"
}


need java openjdk-17-jre-headless
jars="$(once kafka-4.3.1 fetch_jars)"

if [ "${1:-}" = tool ]; then
  shift
  exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$@"
fi

# A certificate authority, and a certificate of the server that it has signed; the server's key and certificate in one file.
certificates() {
  need openssl openssl
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=streamhost tests" -keyout "$data/ca.key" -out "$data/ca.pem"
  openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout "$data/server.key" -out "$data/server.csr"
  openssl x509 -req -in "$data/server.csr" -CA "$data/ca.pem" -CAkey "$data/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$data/server.crt"
  cat "$data/server.key" "$data/server.crt" >"$data/server.pem"
  # Another of the same server, which was good for a day of 2020.
  : >"$data/signed"
  openssl ca -batch -notext -md sha256 -cert "$data/ca.pem" -keyfile "$data/ca.key" -in "$data/server.csr" \
    -startdate 20200101000000Z -enddate 20200102000000Z -out "$data/expired.crt" -outdir "$data" \
    -config <(printf '[ca]\ndefault_ca = it\n[it]\ndatabase = %s\npolicy = any\nrand_serial = yes\nx509_extensions = names\n[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:127.0.0.1\n' "$data/signed")
  cat "$data/server.key" "$data/expired.crt" >"$data/expired.pem"
}

settings() {
  local a=127.0.0.1 mechanism voters="" n
  for ((n = 0; n < nodes; n++)); do voters+="${voters:+,}$((n + 1))@$a:$((first + 8 * n + 1))"; done
  cat <<PROPERTIES
process.roles=broker,controller
node.id=$((node + 1))
controller.quorum.voters=$voters
listeners=PLAINTEXT://$a:$port,CONTROLLER://$a:$((port + 1)),PROXIED://$a:$((port + 2)),TLS://$a:$((port + 4)),TLSSASL://$a:$((port + 5)),SASL://$a:$((port + 6)),EXPIRED://$a:$((port + 7))
advertised.listeners=PLAINTEXT://$a:$port,PROXIED://$a:$((port + 3)),TLS://$a:$((port + 4)),TLSSASL://$a:$((port + 5)),SASL://$a:$((port + 6)),EXPIRED://$a:$((port + 7))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,TLS:SSL,TLSSASL:SASL_SSL,SASL:SASL_PLAINTEXT,EXPIRED:SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/log-dirs
log.retention.ms=-1
log.retention.check.interval.ms=${KAFKA_RETENTION_CHECK_MS:-300000}
log.initial.task.delay.ms=100
default.replication.factor=$replicas
min.insync.replicas=$enough
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$enough
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$enough
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
auto.create.topics.enable=true
ssl.keystore.type=PEM
ssl.keystore.location=$data/server.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=$data/expired.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
PROPERTIES
  for mechanism in tlssasl sasl; do
    echo "listener.name.$mechanism.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\";"
    echo "listener.name.$mechanism.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
    echo "listener.name.$mechanism.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
  done
}

choose_data
if [ ! -d "$data/log-dirs" ]; then
  certificates 2>>"$data/log"
  settings >"$data/server.properties"
  java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" kafka.tools.StorageTool format \
    --cluster-id c3RyZWFtaG9zdC10ZXN0cw --config "$data/server.properties" \
    --add-scram "SCRAM-SHA-256=[name=alice,password=alice-secret]" \
    --add-scram "SCRAM-SHA-512=[name=alice,password=alice-secret]" >>"$data/log" 2>&1 || gave_up "formatting the data failed"
else
  settings >"$data/server.properties"
fi

: >"$data/log"
started() { grep -q "Kafka Server started" "$data/log" && listens "$port"; }
serve started java -Xmx${heap}m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
  -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info -cp "$jars/*" kafka.Kafka "$data/server.properties"
