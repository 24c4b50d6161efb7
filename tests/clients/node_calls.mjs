// What the clients for Node have in common: {url, key, options, calls} on standard input, JSON on standard output.
import { readFileSync, writeSync } from "node:fs";

const DATE = "$date";

// {"$date": "2026-..."} stands for a Date.
const revive = (_, value) =>
  value && typeof value === "object" && DATE in value ? new Date(value[DATE]) : value;

export const asked = async () => JSON.parse(readFileSync(0, "utf8"), revive);

export const answer = (found) => {
  writeSync(1, `\n${JSON.stringify(found)}\n`);
  process.exit(0);
};
