#!/usr/bin/env bash
# A web server behind TLS, while standard input is open: on port HTTPS_PORT, by default 8443, of localhost. It answers every GET with the JSON
# `{"path": …, "token": …}`: what was asked for, and the header `Authorization`. Its certificate is signed by `ca.pem` in its data.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${HTTPS_PORT:-8443}"

need python3 python3
need openssl openssl
need curl curl
choose_data
{
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=streamhost tests" -keyout "$data/ca.key" -out "$data/ca.pem"
  openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout "$data/server.key" -out "$data/server.csr"
  openssl x509 -req -in "$data/server.csr" -CA "$data/ca.pem" -CAkey "$data/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=DNS:localhost") -out "$data/server.crt"
} >>"$data/log" 2>&1
cat >"$data/server.py" <<'PYTHON'
import json, ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path, "token": self.headers.get("Authorization")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


port, folder = int(sys.argv[1]), sys.argv[2]
server = ThreadingHTTPServer(("127.0.0.1", port), Echo)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(f"{folder}/server.crt", f"{folder}/server.key")
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
PYTHON
answers() { curl -fsS -m 2 --noproxy '*' --cacert "$data/ca.pem" "https://localhost:$port/"; }
serve answers python3 "$data/server.py" "$port" "$data"
