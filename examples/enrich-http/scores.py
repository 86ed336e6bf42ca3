"""A service that knows the scores of users, for the pipeline beside it: `python3 scores.py [PORT]`.

POST /scores with {"keys": ["ann", …]} is answered with {"ann": {"score": 0.9, "tier": "gold"}, …}, for whom it knows. Whoever does not
know the token is turned away. Its first answer is that it is busy.
"""

import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SCORES = {"ann": {"score": 0.9, "tier": "gold"}, "bob": {"score": 0.25, "tier": "none"}}
TOKEN = pathlib.Path(__file__).with_name("token").read_text().strip()


class Scores(BaseHTTPRequestHandler):
    busy = True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != TOKEN:
            self.answer(401, {})
        elif Scores.busy:
            Scores.busy = False
            self.answer(503, {})
        else:
            self.answer(200, {key: SCORES[key] for key in asked["keys"] if key in SCORES})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8765), Scores)
print("listening on", server.server_port, flush=True)
server.serve_forever()
