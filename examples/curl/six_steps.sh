#!/usr/bin/env bash
# The six steps by which users of the older systems convince themselves that an order is placed once:
# `six_steps.sh http://localhost:8080`. It ends at the first step that is answered otherwise. Step 4 needs
# faults, which are on in `orderd dev`, and off in `orderd serve` unless ORDERD_FAULTS_ENABLED=true.
set -euo pipefail

url=${1:-http://localhost:8080}
run=$(date +%s)-$$ # keys and customers of this run alone, so that it can be repeated
customer=cust-$run

# Sends an order of $2 pieces under the key $1; more arguments are curl's. Sets $status and $body.
place() {
  local key=$1 quantity=$2
  shift 2
  body=$(curl -sS -w '\n%{http_code}' "$url/orders" -H 'Content-Type: application/json' \
    -H "Idempotency-Key: $key-$run" "$@" \
    -d "{\"customer_id\":\"$customer\",\"item_id\":\"item1\",\"quantity\":$quantity}")
  status=${body##*$'\n'} body=${body%$'\n'*}
}
orders() { curl -sS "$url/v1/orders?customer_id=$customer&limit=100" | grep -o '"order_id"' | wc -l; }
expect() { # what, seen, wanted
  [[ $2 == "$3" ]] || { echo "FAILED: $1: $2 instead of $3" >&2; exit 1; }
}
id_of() { sed 's/.*"order_id":"\([^"]*\)".*/\1/' <<<"$1"; }

place first 1
expect 'step 1, the status of a new order' "$status" 201
first=$body
expect 'step 1, how many orders there are' "$(orders)" 1
echo "1. placed:                       $first"

place first 1
expect 'step 2, the status of its retry' "$status" 201
expect 'step 2, the answer to its retry' "$body" "$first"
expect 'step 2, how many orders there are' "$(orders)" 1
echo '2. the same key, the same bytes:  one order'

place first 5
expect 'step 3, another body under its key' "$status" 409
expect 'step 3, how many orders there are' "$(orders)" 1
echo '3. the same key, another body:    409, nothing written'

place lost 2 -H 'X-Debug-Fail-After-Commit: true'
expect 'step 4, an answer that is lost after the commit' "$status" 500
expect 'step 4, how many orders there are' "$(orders)" 2
echo '4. the answer is lost:            500, and the order is there'

place lost 2
expect 'step 5, its retry' "$status" 201
expect 'step 5, how many orders there are' "$(orders)" 2
echo '5. the retry of that:             201, and no second one'

status=$(curl -sS -o /dev/null -w '%{http_code}' "$url/orders/$(id_of "$body")")
expect 'step 6, reading it' "$status" 200
echo '6. the order is read:             200'
