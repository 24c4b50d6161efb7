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

CREATE TEMP TABLE customer_channels AS
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

-- The newest word on a ticket's state decides; of two at once, the one that closes it.
CREATE TEMP TABLE customer_tickets AS
SELECT
    customer_no,
    count(*) FILTER (is_ticket) AS ticket_count,
    count(*) FILTER (is_ticket AND NOT coalesce(last_state.closed, false)) AS open_tickets,
    count(*) FILTER (escalated) AS escalations
FROM (
    SELECT
        n.customer_no,
        bool_or(e.event_type LIKE 'ticket\_%' ESCAPE '\') AS is_ticket,
        max({moment: e.occurred_at, closed: e.event_type IN ('ticket_solved', 'ticket_closed')
            OR coalesce(lower(e.outcome), '') IN ('solved', 'closed', 'resolved')})
            FILTER (
                e.event_type IN ('ticket_opened', 'ticket_reopened', 'ticket_solved', 'ticket_closed')
                OR e.event_type LIKE 'ticket\_%' ESCAPE '\' AND lower(e.outcome) IN ('solved', 'closed', 'resolved')
            ) AS last_state,
        bool_or(e.event_type = 'ticket_escalated' OR coalesce(e.escalation_level, 0) > 0) AS escalated
    FROM record_events AS e JOIN record_numbers AS n USING (record_no)
    WHERE e.event_type LIKE 'ticket\_%' ESCAPE '\' OR e.escalation_level > 0
    GROUP BY n.customer_no, e.source, coalesce(e.reference, e.event_id)
)
GROUP BY customer_no;
