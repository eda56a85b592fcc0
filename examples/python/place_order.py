"""Places an order exactly once, whatever the network does. Python 3.9 or later, nothing to install.

    order = place_order("http://localhost:8080", {"customer_id": "ada", "lines": [...]}, key=cart_id)

The key names what the customer wanted, not the request: keep it with the cart *before* you call, and a
process that dies in the middle asks again under the same one, and gets the same order.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

TRIES = 8  # about a minute in all
TIMEOUT = 5  # seconds for one try
AFTER_MAX = 60.0  # seconds: Retry-After is heeded, but not for ever
LOST = (OSError, ValueError, http.client.HTTPException)  # no answer, or a torn one


class Refused(Exception):
    """It was refused, or could not be settled. `problem["code"]` is what to match on."""

    def __init__(self, problem):
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}")
        self.problem = problem


def place_order(url, order, key, token=None):
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(order).encode()  # once: every try sends the same bytes
    problem = {}
    for tried in range(TRIES):
        request = urllib.request.Request(f"{url}/v1/orders", body, headers)
        after = 0.0
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as answer:
            problem = problem_of(answer)
            if not problem.get("retryable"):
                raise Refused(problem) from None
            wanted = answer.headers.get("Retry-After", "")
            after = min(float(wanted), AFTER_MAX) if wanted.isdecimal() else 0.0
        except LOST as lost:  # the order may be there
            problem = {"code": "no_answer", "detail": str(lost), "retryable": True}
        if tried + 1 < TRIES:
            # Full jitter, so that clients that failed together do not come back together.
            time.sleep(after + random.uniform(0, min(10, 0.2 * 2**tried)))
    raise Refused(problem)


def problem_of(answer):
    """The problem document; where a proxy answered with a page or JSON of its own, one in its place."""
    try:
        problem = json.loads(answer.read())
    except LOST:
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("code"), str):
        return problem
    passing = answer.code in (408, 429, 500, 502, 503, 504)
    return {"code": "not_ours", "detail": f"HTTP {answer.code}", "retryable": passing}


if __name__ == "__main__":
    try:
        url, key, order = sys.argv[1:]
        print(json.dumps(place_order(url, json.loads(order), key, os.environ.get("ORDERD_TOKEN"))))
    except Refused as refused:
        sys.exit(f"refused: {refused}")
