-- What a bot or a mail client did on its own stays in the history, and is no act of the person.
CREATE TEMP TABLE customer_contacts AS
SELECT
    n.customer_no,
    max(occurred_at) FILTER (direction = 'inbound' AND is_sound(time_flag) AND u.outcome IS NULL) AS last_inbound_at,
    max(occurred_at) FILTER (direction = 'outbound' AND is_sound(time_flag)) AS last_outbound_at,
    max(occurred_at) FILTER (is_sound(time_flag) AND t.event_type IS NOT NULL AND u.outcome IS NULL) AS last_engaged_at
FROM record_events AS e
JOIN record_numbers AS n USING (record_no)
LEFT JOIN input_engagement AS t USING (event_type)
LEFT JOIN input_unattended AS u USING (outcome)
GROUP BY n.customer_no;

CREATE TEMP TABLE profile_channels AS
SELECT customer_no, list(channel ORDER BY channel) AS channels
FROM (
    SELECT DISTINCT n.customer_no, e.channel
    FROM record_events AS e JOIN record_numbers AS n USING (record_no)
)
GROUP BY customer_no;

CREATE TEMP TABLE customer_places AS
SELECT n.customer_no, arg_max({latitude: latitude, longitude: longitude}, {moment: occurred_at, source: source, id: event_id}) AS place
FROM record_events AS e JOIN record_numbers AS n USING (record_no)
WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND is_sound(time_flag)
    AND NOT coalesce(e.outcome IN (SELECT outcome FROM input_unattended), false)
GROUP BY n.customer_no;
