#!/usr/bin/env bash
# Apicurio Registry, kept in memory, while standard input is open: a schema registry with Confluent's API at
# http://127.0.0.1:P/apis/ccompat/v7, with P of REGISTRY_PORT, by default 8081.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${REGISTRY_PORT:-8081}"
# The newest that runs on Java 17.
version=2.6.13.Final

fetch_registry() {
  need mvn maven
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dmdep.useBaseVersion=true \
    -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$1"
  tar -xzf "$1"/*.tar.gz -C "$1"
  rm "$1"/*.tar.gz
}

need java openjdk-17-jre-headless
need curl curl
app="$(once "registry-$version" fetch_registry)"
choose_data
answers() { curl -fsS -m 2 "http://127.0.0.1:$port/apis/ccompat/v7/subjects"; }
serve answers java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
  -Dquarkus.management.enabled=false -jar "$app/apicurio-registry-app-$version-runner.jar"
