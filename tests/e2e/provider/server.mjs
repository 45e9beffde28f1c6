// A certified OpenID Connect provider (the library oidc-provider) with its own pages for logging in.
//
//   node server.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI
//
// PUT /accounts/<name>   claims of an account, as JSON; whoever logs in by that name has them
// PUT /rotate            another signing key from now on; grants and codes of before are gone
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [port, clientId, clientSecret, redirectUri] = process.argv.slice(2);
const accounts = new Map();
let keys = 0;

function made() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  keys += 1;
  const key = { ...privateKey.export({ format: 'jwk' }), kid: `key-${keys}`, use: 'sig', alg: 'RS256' };
  return new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['for tests alone'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...accounts.get(id) }),
    }),
    jwks: { keys: [key] },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  });
}

let provider = made();

createServer((request, response) => {
  if (request.method !== 'PUT') {
    provider.callback()(request, response);
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    if (request.url === '/rotate') {
      provider = made();
    } else {
      accounts.set(decodeURIComponent(request.url.split('/').pop()), JSON.parse(Buffer.concat(parts)));
    }
    response.end('{}');
  });
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
