"""Receives orderd's webhooks: `WEBHOOK_SECRET=whsec_… python3 receiver.py 9000`. Python 3.9, nothing to install.

What has to be right, in this order: the signature covers the bytes as they came, so verify before parsing;
compare in constant time; refuse what is old, or whoever overheard it can send it again; and expect each event
more than once, with the same webhook-id.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ.get("WEBHOOK_SECRET", "").removeprefix("whsec_"))
if not SECRET:  # anybody can sign with nothing
    sys.exit("WEBHOOK_SECRET is not one: it is what `orderd webhook create` printed")
TOLERANCE = 5 * 60  # seconds
BODY_MAX = 64 * 1024
turn = threading.Lock()  # events of several orders come at once
seen = set()  # in earnest: a unique column in your database, written in the transaction of what you do


def is_genuine(headers, body):
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > TOLERANCE:
        return False
    signed = f"{message_id}.{sent_at}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256))
    # Several, with blanks between, for a day after the secret was changed.
    given = headers.get("webhook-signature", "").encode().split()
    return any([hmac.compare_digest(wanted, one) for one in given])


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds for who connects and sends nothing

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_MAX:
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        with turn:
            if self.headers["webhook-id"] not in seen:
                event = json.loads(body)
                print(event["type"], event["subject"], flush=True)  # what you do with it: soon, or in a queue
                seen.add(self.headers["webhook-id"])
        self.answer(204)  # and not before it is done: all else has it sent again

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
