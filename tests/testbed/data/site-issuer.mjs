// A site's OpenID Connect issuer on panva's oidc-provider: real protocol, invented people.
//
// usage: node site-issuer.mjs settings.json
// settings: {issuer, key, certificate, people, gateway}, the last four paths. The file of people is read at each question, so that
// whoever writes it changes the people at once: {"<sub>": {login, password, groups, disabled}}. That of the gateway says
// where one listens that wants to hear of logouts: {port, ca}.
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';

// Node 18, which some distributions still bring, lacks these two.
globalThis.crypto ??= webcrypto;
URL.parse ??= (...parts) => { try { return new URL(...parts); } catch { return null; } };
const { default: Provider } = await import('oidc-provider');

const settings = JSON.parse(fs.readFileSync(process.argv[2]));
const people = () => JSON.parse(fs.readFileSync(settings.people));
const person = (sub) => { const found = people()[sub]; return found && !found.disabled ? found : undefined; };

const claimsOf = (sub, { login, groups }) => ({
  sub, groups, preferred_username: login, name: `${login} of the site`, email: `${login}@example.org`, email_verified: true,
});

// Gateways under test take whatever port is free, and show certificates of their own.
const tell = (url, { method, headers, body }) => new Promise((resolve, reject) => {
  const { port, ca } = JSON.parse(fs.readFileSync(settings.gateway));
  const request = https.request({
    host: '127.0.0.1', port, servername: url.hostname, path: url.pathname, method, ca: fs.readFileSync(ca),
    headers: { ...Object.fromEntries(headers), host: `${url.hostname}:${port}` },
  }, (answer) => { answer.resume(); resolve(new Response(null, { status: answer.statusCode })); });
  request.on('error', reject);
  request.end(String(body));
});

const provider = new Provider(settings.issuer, {
  clients: [{
    client_id: 'gatewarden',
    client_secret: 'a-secret-between-the-site-and-its-gateway',
    redirect_uris: ['sso', 'portal'].map((id) => 'https://console.localhost/callback/' + id),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    post_logout_redirect_uris: ['https://console.localhost/logout/done'],
    backchannel_logout_uri: 'https://console.localhost/backchannel-logout/sso',
    backchannel_logout_session_required: true,
  }, {
    // What a site has for kubectl today.
    client_id: 'kubelogin',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  findAccount: (_, sub) => {
    const found = person(sub);
    return found && { accountId: sub, claims: () => claimsOf(sub, found) };
  },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'groups'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, revocation: { enabled: true }, rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true } },
  fetch: (url, options) => {
    const at = new URL(url);
    return at.hostname === 'console.localhost' ? tell(at, options) : globalThis.fetch(url, options);
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  issueRefreshToken: (_, client, code) => code.scopes.has('offline_access'),
  rotateRefreshToken: true,
  cookies: { keys: ['only for tests'] },
});

// A gateway's port is in none of the addresses above.
for (const allowed of ['redirectUriAllowed', 'postLogoutRedirectUriAllowed']) {
  const exact = provider.Client.prototype[allowed];
  provider.Client.prototype[allowed] = function onAnyPort(uri) {
    const url = URL.parse(uri);
    return exact.call(this, url?.hostname === 'console.localhost' ? 'https://console.localhost' + url.pathname : uri);
  };
}

const form = async (request) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
};

async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end('<!doctype html><title>The site</title><h1>The site</h1><form method="post"><label>Name '
        + '<input name="login"></label><label>Password <input name="password" type="password"></label>'
        + '<button>Sign in</button></form>');
      return;
    }
    const given = await form(request);
    if (given.has('deny')) {
      await provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'turned back' });
      return;
    }
    const [sub] = Object.entries(people()).find(([, one]) =>
      one.login === given.get('login') && one.password === given.get('password') && !one.disabled) ?? [];
    if (!sub) { response.statusCode = 401; response.end('wrong name or password'); return; }
    await provider.interactionFinished(request, response, { login: { accountId: sub } });
    return;
  }
  const grant = (grantId && await provider.Grant.find(grantId))
    ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: true });
}

const answer = provider.callback();
https.createServer({
  key: fs.readFileSync(settings.key), cert: fs.readFileSync(settings.certificate), ALPNProtocols: ['http/1.1'],
}, (request, response) => {
  if (!request.url.startsWith('/interaction/')) { answer(request, response); return; }
  interact(request, response).catch((error) => { response.statusCode = 500; response.end(String(error)); });
}).listen(Number(new URL(settings.issuer).port), '127.0.0.1');
