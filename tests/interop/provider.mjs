// An OpenID provider on loopback that issues access tokens as JWTs: every line on stdin is a question, every line on
// stdout an answer. Told to rotate, it signs with a new key at once.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

console.info = console.warn = console.error; // stdout is for answers

const { Provider } = await import('oidc-provider');

let settings;
let issuer;
let keys = [];
let answer; // of the provider with these keys
let fetches = 0;

async function newKey() {
  const { privateKey } = await generateKeyPair(settings.algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg: settings.algorithm, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}

// It reads its keys once, so another set of keys is another provider behind the same address.
function provide() {
  const { algorithm, audience, clients, scope } = settings;
  const provider = new Provider(issuer, {
    clients,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientDefaults: { id_token_signed_response_alg: algorithm },
    cookies: { keys: ['none of the tests has a browser'] },
    jwks: { keys },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          audience,
          scope,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: algorithm, kid: keys[0].kid } },
        }),
      },
    },
  });
  answer = provider.callback();
}

const answers = {
  async start(wanted) {
    settings = wanted;
    keys = [await newKey()];
    const server = createServer((request, response) => {
      fetches += request.url === '/jwks';
      answer(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    issuer = `http://127.0.0.1:${server.address().port}`;
    provide();
    return issuer;
  },

  async rotate() {
    keys = [await newKey(), ...keys];
    provide();
    return keys[0].kid;
  },

  retire() {
    keys = keys.slice(0, 1);
    provide();
    return keys[0].kid;
  },

  fetches() {
    return fetches;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { question, ...details } = JSON.parse(line);
  let reply;
  try {
    reply = { answer: await answers[question](details) };
  } catch (error) {
    reply = { error: error.stack };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
process.exit();
