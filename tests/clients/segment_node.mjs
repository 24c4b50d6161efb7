// Sends the calls on standard input through @segment/analytics-node; writes the message ids on standard output.
import { Analytics } from "@segment/analytics-node";
import { answer, asked } from "./node_calls.mjs";

const { url, key, options, calls } = await asked();
const analytics = new Analytics({ writeKey: key, host: url, ...options });
const failures = [];
analytics.on("error", (error) => failures.push(String(error.reason ?? error)));

const sent = calls.map(
  ({ call, ...message }) =>
    new Promise((resolve) => analytics[call](message, (error, context) => resolve(context.event.messageId))),
);
await analytics.closeAndFlush({ timeout: 60_000 });
answer({ ids: await Promise.all(sent), failures });
