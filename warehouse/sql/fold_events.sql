-- Partial folds of one grouped event become one row, by the rules of the fold itself (the connectors'
-- fold_query): whole or in parts, in any files and any order, the same lines give the same event.
CREATE TEMP TABLE folded_events AS
WITH parts AS (
    SELECT
        * REPLACE (coalesce(identifiers, []) AS identifiers),
        -- Sums never mix currencies, and a part that had to mix them says so by having none.
        line_count > 1 AND amount IS NULL AND currency IS NULL AS mixed
    FROM counted_events SEMI JOIN folded_keys USING (source, event_id)
)
SELECT
    source,
    event_id,
    min(file_id) AS file_id,
    min(raw_row) AS raw_row,
    sum(line_count)::INTEGER AS line_count,
    min(record_key) AS record_key,
    min(channel) AS channel,
    min(event_type) AS event_type,
    min(direction) AS direction,
    min(occurred_at) AS occurred_at,
    arg_min_null(occurred_text, (occurred_at, occurred_text)) AS occurred_text,
    arg_min_null(time_flag, (occurred_at, occurred_text)) AS time_flag,
    min(received_at) AS received_at,
    list_sort(list_distinct(flatten(list(identifiers)))) AS identifiers,
    -- The lines of a partial fold are {"lines":[...]}: the whole has the lines of all.
    '{"lines":[' || array_to_string(list_sort(flatten(
        list(json_extract(properties, '$.lines[*]')::VARCHAR[]) FILTER (properties IS NOT NULL))), ',') || ']}'
        AS properties,
    min(subject) AS subject,
    min(reference) AS reference,
    min(campaign) AS campaign,
    min(product) AS product,
    CASE WHEN NOT bool_or(mixed) AND count(DISTINCT currency) <= 1 THEN sum(amount) END::DECIMAL(18, 4) AS amount,
    CASE WHEN NOT bool_or(mixed) AND count(DISTINCT currency) <= 1 THEN min(currency) END AS currency,
    min(duration_seconds) AS duration_seconds,
    min(agent) AS agent,
    min(department) AS department,
    min(outcome) AS outcome,
    max(escalation_level) AS escalation_level,
    min(self_service) AS self_service,
    (min((latitude, longitude)) FILTER (latitude IS NOT NULL))[1] AS latitude,
    (min((latitude, longitude)) FILTER (latitude IS NOT NULL))[2] AS longitude,
    min(consent_purpose) AS consent_purpose,
    min(consent_channel) AS consent_channel,
    min(consent_state) AS consent_state,
    min(brand) AS brand
FROM parts
GROUP BY source, event_id;
