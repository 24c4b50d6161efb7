-- The envelopes that count: a superseded revision is none of them.
CREATE TEMP VIEW counted_events AS
SELECT * FROM input_events ANTI JOIN input_superseded USING (file_id, raw_row);

-- Grouped events whose lines came in more than one file.
CREATE TEMP TABLE folded_keys AS
SELECT source, event_id, count(*) AS parts
FROM counted_events
WHERE list_contains((SELECT sources FROM input_grouped), source)
GROUP BY source, event_id
HAVING parts > 1;
