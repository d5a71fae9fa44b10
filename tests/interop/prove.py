"""Makes proofs with jwcrypto: reads lines of JSON ({"method", "url", "nonce"}), writes a proof for each."""
import json
import sys
import time
import uuid

from jwcrypto import jwk, jwt

ALGORITHM = sys.argv[1]
KEY = jwk.JWK.generate(kty="EC", crv="P-256") if ALGORITHM == "ES256" else jwk.JWK.generate(kty="OKP", crv="Ed25519")

for line in sys.stdin:
    ask = json.loads(line)
    claims = {"htm": ask["method"], "htu": ask["url"], "iat": int(time.time()), "jti": str(uuid.uuid4())}
    if ask.get("nonce"):
        claims["nonce"] = ask["nonce"]
    claims.update(ask.get("claims") or {})
    proof = jwt.JWT(header={"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": KEY.export_public(as_dict=True)}, claims=claims)
    proof.make_signed_token(KEY)
    print(proof.serialize(), flush=True)
