// The vendor's JavaScript SDK completes every flow against a sandbox.
//
// It has no setting for the base URL, so its requests are redirected.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { Contiguity } from "contiguity";

const url = process.env.CONTIGUITY_BASE_URL;
const secret = process.env.CONTIGUITY_WEBHOOK_SECRET;
const PHONE = "+14155552671";

const plainFetch = globalThis.fetch;
globalThis.fetch = (target, options) => plainFetch(target.replace("https://api.contiguity.com", url), options);

const control = async (path, body) => {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  return (await plainFetch(`${url}/sandbox/${path}`, options)).json();
};
const lastCode = async () => (await control(`phones/${PHONE}`)).last_code;

const contiguity = new Contiguity(process.env.CONTIGUITY_API_KEY);

// A code by text message: sent, sent again, wrong, right, used.
const sent = await contiguity.otp.send({ to: PHONE, language: "en", name: "MyApp" });
assert.match(sent.otp_id, /^otp_/);
assert.match(sent.metadata.id, /^req_/);
const code = await lastCode();
assert.equal((await contiguity.otp.resend({ otp_id: sent.otp_id })).resent, true);
assert.equal(await lastCode(), code);
const wrong = code === "000000" ? "000001" : "000000";
assert.equal((await contiguity.otp.verify({ otp_id: sent.otp_id, otp: wrong })).verified, false);
assert.equal((await contiguity.otp.verify({ otp_id: sent.otp_id, otp: code })).verified, true);
assert.equal((await contiguity.otp.verify({ otp_id: sent.otp_id, otp: code })).verified, false);
assert.equal((await contiguity.otp.resend({ otp_id: sent.otp_id })).resent, false);

// A reverse OTP: the person texts, the webhook arrives, and the SDK accepts its signature.
const received = [];
const receiver = createServer(async (request, response) => {
  const chunks = await request.toArray();
  received.push([Buffer.concat(chunks).toString(), request.headers["contiguity-signature"]]);
  response.end();
});
await once(receiver.listen(0, "127.0.0.1"), "listening");
const session = await contiguity.otp.reverse.initiate({
  number: PHONE,
  factor: "MyApp2024",
  service: "sms",
  success_url: `http://127.0.0.1:${receiver.address().port}/verified`,
});
assert.equal((await contiguity.otp.reverse.verify(session.otp_id)).status, "pending");
const arrived = once(receiver, "request");
await control("text", { from: PHONE, to: session.to, body: session.factor });
await arrived;
while (received.length === 0) await new Promise(setImmediate);
assert.equal((await contiguity.otp.reverse.verify(session.otp_id)).status, "verified");
const [body, signature] = received[0];
assert.equal(contiguity.webhook.verify(body, signature, secret), true);
assert.equal(JSON.parse(body).data.otp_id, session.otp_id);
receiver.close();

// A reverse OTP that is cancelled.
const other = await contiguity.otp.reverse.initiate({ number: PHONE });
assert.equal((await contiguity.otp.reverse.cancel(other.otp_id)).status, "cancelled");
assert.equal((await contiguity.otp.reverse.verify(other.otp_id)).status, "cancelled");

// Refusals and faults are the SDK's own errors.
await assert.rejects(contiguity.otp.send({ to: "555", language: "en", name: "MyApp" }), { name: "ContiguityError", status: 400 });
await control("fail", { fault: "status", status: 503 });
await assert.rejects(contiguity.otp.send({ to: PHONE, language: "en", name: "MyApp" }), { name: "ContiguityError", status: 503 });

console.log("javascript: every flow is complete");
