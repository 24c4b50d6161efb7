// What the pages of both browser clients have in common. Visits are lists of calls; each is another person's.

// {"$date": "2026-..."} stands for a Date.
const revived = (value) => {
  if (Array.isArray(value)) return value.map(revived);
  if (!value || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revived(inner)]));
};
