#!/usr/bin/env bash
# Puts Spark where the bench can run it beside streamhost: `setup.sh FOLDER` makes FOLDER/venv and FOLDER/jars.
# Needs Python 3.11 with venv, Java 17 and Maven. What is there already stays.
set -euo pipefail
folder="$1"
spark=4.2.0
jars=(
  org.apache.spark:spark-sql-kafka-0-10_2.13:$spark
  org.apache.spark:spark-token-provider-kafka-0-10_2.13:$spark
  org.apache.kafka:kafka-clients:3.9.1
  org.apache.commons:commons-pool2:2.12.1
)
for tool in python3 java mvn; do
  command -v "$tool" > /dev/null || { echo "$tool is missing; install it, for example with: apt-get install python3-venv openjdk-17-jdk maven" >&2; exit 1; }
done
mkdir -p "$folder/jars"
if [ ! -e "$folder/venv/ready" ]; then
  echo "installing pyspark $spark, pandas and pyarrow in $folder/venv" >&2
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet "pyspark==$spark" pandas pyarrow setuptools
  touch "$folder/venv/ready"
fi
for jar in "${jars[@]}"; do
  IFS=: read -r _ name version <<< "$jar"
  [ -e "$folder/jars/$name-$version.jar" ] && continue
  echo "fetching $jar" >&2
  mvn --batch-mode --quiet dependency:copy "-Dartifact=$jar" "-DoutputDirectory=$folder/jars"
done
