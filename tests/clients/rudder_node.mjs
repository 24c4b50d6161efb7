// Sends the calls on standard input through @rudderstack/rudder-sdk-node; writes the message ids on standard output.
import { gunzipSync } from "node:zlib";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { answer, asked } from "./node_calls.mjs";

const { url, key, options, calls } = await asked();
const failures = [];
const analytics = new RudderAnalytics(key, {
  dataPlaneUrl: url,
  logLevel: "silly",
  errorHandler: (error) => failures.push(String(error)),
  ...options,
});

// A batch is told to every call in it, packed as it was sent.
const batches = new Set();
const sent = calls.map(
  ({ call, ...message }) =>
    new Promise((resolve) => analytics[call](message, (error, data) => resolve(data && batches.add(data)))),
);
await analytics.flush();
await Promise.all(sent);
const bodies = [...batches].map((data) => (Buffer.isBuffer(data) ? JSON.parse(gunzipSync(data)) : data));
answer({ ids: bodies.flatMap(({ batch }) => batch.map(({ messageId }) => messageId)), failures });
