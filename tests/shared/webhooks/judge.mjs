// Judges deliveries as a receiver on Node would: `v1` by the npm package standardwebhooks, `v1a` by Node's own Ed25519.
//
//   node judge.mjs < cases.json    [{secret?, public_key?, headers, body}] → ["" or why not]
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

function asymmetric({ public_key: shown, headers, body }) {
  const x = Buffer.from(shown.replace(/^whpk_/, ''), 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
  const signatures = headers['webhook-signature'].split(' ').filter((one) => one.startsWith('v1a,'));
  const good = signatures.some((one) => verify(null, signed, key, Buffer.from(one.slice(4), 'base64')));
  return good ? '' : 'No matching signature found';
}

function judge(delivery) {
  try {
    if (delivery.public_key) return asymmetric(delivery);
    new Webhook(delivery.secret).verify(delivery.body, delivery.headers);
    return '';
  } catch (error) {
    return error.message || String(error);
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(judge)));
