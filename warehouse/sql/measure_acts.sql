-- One narrow row per event that a measure reads, made in one pass over the events. Of what a bot or a
-- machine did only its opens are counted, apart; an event without a sound time only costs.
CREATE TEMP MACRO seconds_between(earlier, later) AS (epoch_us(later) - epoch_us(earlier)) / 1e6;

CREATE TEMP TABLE customer_numbers AS
SELECT DISTINCT customer_no, customer_id FROM record_numbers;

CREATE TEMP TABLE act_channels AS
SELECT channel, (row_number() OVER (ORDER BY channel))::UTINYINT AS channel_no
FROM (SELECT DISTINCT channel FROM record_events);

CREATE TEMP TABLE act_campaigns AS
SELECT campaign, (row_number() OVER (ORDER BY campaign))::INTEGER AS campaign_no
FROM (SELECT DISTINCT campaign FROM record_events WHERE campaign IS NOT NULL);

-- Where a source says what arrived and never what was sent, arrival is the touch.
CREATE TEMP TABLE arrival_sources AS
SELECT source, channel
FROM (
    SELECT source, channel, event_type, is_sound(time_flag) AS sound, coalesce(outcome IN (SELECT outcome FROM input_unattended), false) AS unattended
    FROM record_events GROUP BY ALL
) JOIN measure_roles USING (event_type)
WHERE sound AND NOT unattended
GROUP BY source, channel
HAVING bool_or(is_delivery(roles)) AND NOT bool_or(is_touch(roles));

CREATE TEMP TABLE acts AS
SELECT
    n.customer_no, c.channel_no, p.campaign_no, e.occurred_at AS moment,
    CASE
        WHEN NOT is_sound(e.time_flag) THEN 0
        WHEN u.outcome IS NOT NULL THEN CASE WHEN is_open(r.roles) OR is_click(r.roles) THEN bit_machine_open() ELSE 0 END
        WHEN is_delivery(r.roles) AND a.source IS NOT NULL THEN r.roles | bit_touch() | bit_reply()
        ELSE r.roles
    END AS roles,
    CASE WHEN e.reference IS NOT NULL THEN hash(e.reference) END AS thread,
    CASE WHEN p.campaign_no IS NOT NULL THEN hash(e.source, e.event_id) END AS act_hash,
    CASE
        WHEN NOT g.has_costs OR u.outcome IS NOT NULL THEN NULL
        ELSE coalesce(
            r.event_cost,
            CASE WHEN is_touch(r.roles) OR is_contact_in(r.roles) OR is_delivery(r.roles) AND a.source IS NOT NULL THEN k.contact_cost END,
            0
        ) + CASE
            WHEN e.event_type IN ('call_received', 'call_placed') AND e.duration_seconds > 0
            THEN (e.duration_seconds / 60)::DECIMAL(12, 4) * g.call_minute_cost
            ELSE 0
        END
    END::DECIMAL(18, 6) AS cost
FROM record_events AS e
JOIN record_numbers AS n USING (record_no)
JOIN measure_roles AS r USING (event_type)
JOIN act_channels AS c USING (channel)
CROSS JOIN measure_given AS g
LEFT JOIN act_campaigns AS p USING (campaign)
LEFT JOIN arrival_sources AS a ON a.source = e.source AND a.channel = e.channel
LEFT JOIN measure_channel_costs AS k ON k.channel = e.channel
LEFT JOIN input_unattended AS u USING (outcome)
WHERE r.roles & ~bit_visit() <> 0 OR e.campaign IS NOT NULL OR r.event_cost IS NOT NULL;
