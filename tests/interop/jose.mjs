// Signs and verifies with jose: every line on stdin is a question, every line on stdout an answer.
import { createInterface } from 'node:readline';

import * as jose from 'jose';

const privateKeys = new Map(); // by kid
const remoteSets = new Map(); // by URL, as a server would keep them

const answers = {
  async issue({ algorithm }) {
    const { publicKey, privateKey } = await jose.generateKeyPair(algorithm);
    const jwk = await jose.exportJWK(publicKey);
    jwk.kid = await jose.calculateJwkThumbprint(jwk);
    jwk.alg = algorithm;
    privateKeys.set(jwk.kid, privateKey);
    return { keys: [jwk] };
  },

  sign({ kid, header, claims }) {
    return new jose.SignJWT(claims).setProtectedHeader(header).sign(privateKeys.get(kid));
  },

  async accept({ token, url, ...expected }) {
    if (!remoteSets.has(url)) {
      remoteSets.set(url, jose.createRemoteJWKSet(new URL(url), { timeoutDuration: 30_000 }));
    }
    const { payload } = await jose.jwtVerify(token, remoteSets.get(url), expected);
    return payload;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { question, ...details } = JSON.parse(line);
  let reply;
  try {
    reply = { answer: await answers[question](details) };
  } catch (error) {
    reply = { error: error.code ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
