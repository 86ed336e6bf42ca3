#!/usr/bin/env bash
# Azurite, an emulator of Azure's blob storage, while standard input is open: on port AZURITE_PORT, by default 10000, with the container
# `test` of the account that Microsoft documents for it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export AZURITE_PORT="${AZURITE_PORT:-10000}"
version=3.37.0

fetch() {
  need npm npm
  npm install --silent --no-audit --no-fund --omit=dev --ignore-scripts --prefix "$1" "azurite@$version"
}

# Makes the container, which only an answer of the server can be to.
container() {
  node -e '
    const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-08-06" };
    const named = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
    const signed = `PUT${"\n".repeat(12)}${named}/devstoreaccount1/devstoreaccount1/test\nrestype:container`;
    const signature = require("crypto").createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
    headers.Authorization = `SharedKey devstoreaccount1:${signature}`;
    const path = "/devstoreaccount1/test?restype=container";
    const request = { port: process.env.AZURITE_PORT, method: "PUT", path, headers };
    const answered = (answer) => process.exit([201, 409].includes(answer.statusCode) ? 0 : 1);
    require("http").request(request, answered).on("error", () => process.exit(1)).end();
  '
}

need node nodejs
app="$(once "azurite-$version" fetch)"
choose_data
serve container node "$app/node_modules/azurite/dist/src/blob/main.js" --blobHost 127.0.0.1 --blobPort "$AZURITE_PORT" \
  --location "$data/blobs" --silent --skipApiVersionCheck --disableTelemetry
