// A client as openid-client's users write it: every step by the library, none of its checks switched off.
// It prints where the browser shall go, reads where the browser was sent to, and prints what came of it.
import { createInterface } from 'node:readline/promises';
import * as client from 'openid-client';

const [issuer, id, secret, redirect_uri, post_logout_redirect_uri, alg] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin });
const metadata = { client_secret: secret, id_token_signed_response_alg: alg };
const config = await client.discovery(new URL(issuer), id, metadata, client.ClientSecretBasic(secret));

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const away = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: 'openid profile groups offline_access',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
});
console.log(`open ${away.href}`);
const [back] = await new Promise((resolve) => lines.once('line', (line) => resolve([line])));

const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, new URL(back), checks);
const claims = tokens.claims();
const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const before = await client.tokenIntrospection(config, tokens.access_token);
const next = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, next.refresh_token);
const after = await client.tokenIntrospection(config, next.access_token);
const bye = client.buildEndSessionUrl(config, { id_token_hint: next.id_token, post_logout_redirect_uri, state: 'bye' });
const header = JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url'));
console.log(`done ${JSON.stringify({ alg: header.alg, sub: claims.sub, person, before, after, bye: bye.href })}`);
process.exit(0);
