"""python verify_receipt.py RECEIPT KEYS: checks a receipt offline. KEYS: a copy of /.well-known/mercato-receipt-key.json"""

import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


head, number, nanos, record, allowed = b"", 0, 0, {}, ["hash,receipt"]
with open(sys.argv[1], "rb") as lines, open(sys.argv[2], "rb") as beside:
    keys = {key["id"]: key["public_key"] for key in json.load(beside)["keys"]}
    for number, line in enumerate(lines, 1):
        record = json.loads(line)
        if canonical(record) + b"\n" != line or ",".join(sorted(record)) not in allowed:
            sys.exit(f"line {number} is not as it was signed")
        allowed = [] if "signed" in record else ["event,hash", "signature,signed"]
        if "hash" in record and record.pop("hash") != (head := hashlib.sha256(head + canonical(record)).digest()).hex():
            sys.exit(f"line {number}, or one before it, is not as it was signed")
        nanos += record.get("event", {}).get("cost_nanos", 0)
signed, signature = record["signed"], bytes.fromhex(record["signature"])
Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys[signed["key"]])).verify(signature, canonical(signed))
sums = [head.hex(), number - 2, nanos, signature.hex()]
if [signed["hash"], signed["events"], signed["cost_nanos"], record["signature"]] != sums:
    sys.exit("the last line does not fit those before it")
print(json.dumps(signed))
