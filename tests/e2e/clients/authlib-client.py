"""A client as Authlib's users write it: every step by the library, none of its checks switched off.

It prints where the browser shall go, reads where the browser was sent to, and prints what came of it.
"""

import json
import sys

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

issuer, client_id, secret, redirect_uri = sys.argv[1:5]
server = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
session = OAuth2Session(
    client_id,
    secret,
    token_endpoint_auth_method="client_secret_post",
    revocation_endpoint_auth_method="client_secret_post",
    scope="openid profile groups offline_access",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token()
away, state = session.create_authorization_url(
    server["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(f"open {away}", flush=True)
back = sys.stdin.readline().strip()

token = session.fetch_token(
    server["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
)
keys = JsonWebKey.import_key_set(requests.get(server["jwks_uri"], timeout=30).json())
options = {"iss": {"value": issuer}, "aud": {"value": client_id}}
algorithms = JsonWebToken(server["id_token_signing_alg_values_supported"])
claims = algorithms.decode(
    token["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options=options,
    claims_params={"nonce": nonce, "client_id": client_id},
)
claims.validate()
person = session.get(server["userinfo_endpoint"], timeout=30).json()
before = session.introspect_token(server["introspection_endpoint"], token=token["access_token"]).json()
fresh = session.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
session.revoke_token(server["revocation_endpoint"], token=fresh["refresh_token"])
after = session.introspect_token(server["introspection_endpoint"], token=fresh["access_token"]).json()
print("done " + json.dumps({"sub": claims["sub"], "person": person, "before": before, "after": after}), flush=True)
