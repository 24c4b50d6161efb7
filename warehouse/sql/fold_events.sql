-- Partial folds of one grouped event become one row. Its order looks at times, positions and
-- contents only, never at which file came first.
CREATE TEMP TABLE folded_events AS
WITH parts AS (
    SELECT
        * REPLACE (coalesce(identifiers, []) AS identifiers),
        -- Sums never mix currencies, and a part that had to mix them says so by having none.
        line_count > 1 AND amount IS NULL AND currency IS NULL AS mixed,
        row_number() OVER (
            PARTITION BY source, event_id
            ORDER BY occurred_at, raw_row, product, subject, reference, record_key, amount, properties, file_id
        ) AS place
    FROM counted_events SEMI JOIN folded_keys USING (source, event_id)
)
SELECT
    source,
    event_id,
    min(file_id) AS file_id,
    arg_min(raw_row, place) AS raw_row,
    sum(line_count)::INTEGER AS line_count,
    arg_min(record_key, place) AS record_key,
    arg_min(channel, place) AS channel,
    arg_min(event_type, place) AS event_type,
    arg_min(direction, place) AS direction,
    min(occurred_at) AS occurred_at,
    arg_min(occurred_text, place) AS occurred_text,
    arg_min(time_flag, place) AS time_flag,
    min(received_at) AS received_at,
    list_sort(list_distinct(flatten(list(identifiers)))) AS identifiers,
    -- The lines of a partial fold are {"lines":[...]}: the whole has the lines of all.
    CASE
        WHEN bool_and(starts_with(properties, '{"lines":['))
        THEN '{"lines":[' || string_agg(properties[11:-3], ',' ORDER BY place) || ']}'
        ELSE arg_min(properties, place)
    END AS properties,
    arg_min(subject, place) AS subject,
    arg_min(reference, place) AS reference,
    arg_min(campaign, place) AS campaign,
    arg_min(product, place) AS product,
    CASE WHEN NOT bool_or(mixed) AND count(DISTINCT currency) <= 1 THEN sum(amount) END::DECIMAL(18, 4) AS amount,
    CASE WHEN NOT bool_or(mixed) AND count(DISTINCT currency) <= 1 THEN min(currency) END AS currency,
    arg_min(duration_seconds, place) AS duration_seconds,
    arg_min(agent, place) AS agent,
    arg_min(department, place) AS department,
    arg_min(outcome, place) AS outcome,
    max(escalation_level) AS escalation_level,
    arg_min(self_service, place) AS self_service,
    arg_min(latitude, place) AS latitude,
    arg_min(longitude, place) AS longitude,
    arg_min(consent_purpose, place) AS consent_purpose,
    arg_min(consent_channel, place) AS consent_channel,
    arg_min(consent_state, place) AS consent_state,
    arg_min(brand, place) AS brand
FROM parts
GROUP BY source, event_id;
