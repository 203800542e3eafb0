#!/bin/sh
# One login by Debian's oidc-agent: its programs unchanged, its agent for this login alone.
# usage: oidc-agent.sh ISSUER CLIENT SECRET REDIRECT-URI FLOW CA-FILE
set -eu
eval "$(oidc-agent)" > /dev/null
trap 'kill "$OIDCD_PID"' EXIT
oidc-gen site --manual --issuer="$1" --client-id="$2" --client-secret="$3" --redirect-uri="$4" \
  --scope="openid offline_access" --flow="$5" --cert-path="$6" \
  --no-url-call --no-save --no-scheme --prompt=none --confirm-yes
echo "first $(oidc-token site)"
# Longer than what is left of the first: the agent refreshes.
echo "second $(oidc-token --time=100000 site)"
echo "done"
