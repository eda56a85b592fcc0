#!/usr/bin/env bash
# Places an order exactly once, however often the answer is lost: `place_order.sh URL KEY ORDER_JSON`.
#
# curl does the retrying: the same request under the same key, after what Retry-After says, for a minute at
# the most. Without --fail it takes 408, 429 and the passing 5xx for worth a retry, and other 4xx for final. It
# does not read the problem document, and its waits double without chance. A token is taken from ORDERD_TOKEN.
set -euo pipefail

url=$1 key=$2 order=$3
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

status=$(curl --silent --show-error --max-time 5 --output "$answer" --write-out '%{http_code}' \
  --retry 6 --retry-all-errors --retry-max-time 60 \
  --header 'Content-Type: application/json' --header "Idempotency-Key: $key" \
  --header @<(printf '%s' "${ORDERD_TOKEN:+Authorization: Bearer $ORDERD_TOKEN}") \
  --data "$order" "$url/v1/orders")

cat "$answer"
echo
# 201 is the order, whether it was placed now or by an earlier try. All else is a problem document.
[[ $status == 201 ]]
