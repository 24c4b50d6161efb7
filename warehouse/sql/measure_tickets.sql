-- A case is a ticket, or a call or chat that went to a higher level. The newest word on a ticket's state
-- decides; of two at once, the one that closes it.
INSERT INTO tickets BY NAME
SELECT
    n.customer_id, t.source, t.ticket,
    t.reference, t.subject, t.product, t.department, t.is_ticket,
    CASE WHEN NOT t.is_ticket THEN NULL WHEN coalesce(t.last_state.closed, false) THEN 'closed' ELSE 'open' END AS state,
    t.opened_at, t.last_at,
    CASE WHEN t.is_ticket AND t.last_state.closed AND is_sound(nullif(t.last_state.time_flag, '')) THEN t.last_state.moment END AS solved_at,
    t.escalated, t.escalation_level, t.event_count
FROM (
    SELECT
        n.customer_no, e.source,
        coalesce(e.reference, e.event_id) AS ticket,
        min(e.reference) AS reference,
        arg_max(e.subject, {moment: e.occurred_at, id: e.event_id}) FILTER (e.subject IS NOT NULL) AS subject,
        arg_max(e.product, {moment: e.occurred_at, id: e.event_id}) FILTER (e.product IS NOT NULL) AS product,
        arg_max(e.department, {moment: e.occurred_at, id: e.event_id}) FILTER (e.department IS NOT NULL) AS department,
        bool_or(e.event_type LIKE 'ticket\_%' ESCAPE '\') AS is_ticket,
        max({moment: e.occurred_at, closed: e.event_type IN ('ticket_solved', 'ticket_closed')
            OR coalesce(lower(e.outcome), '') IN ('solved', 'closed', 'resolved'), time_flag: coalesce(e.time_flag, '')})
            FILTER (
                e.event_type IN ('ticket_opened', 'ticket_reopened', 'ticket_solved', 'ticket_closed')
                OR e.event_type LIKE 'ticket\_%' ESCAPE '\' AND lower(e.outcome) IN ('solved', 'closed', 'resolved')
            ) AS last_state,
        coalesce(
            min(e.occurred_at) FILTER (e.event_type = 'ticket_opened' AND is_sound(e.time_flag)),
            min(e.occurred_at) FILTER (is_sound(e.time_flag))
        ) AS opened_at,
        max(e.occurred_at) FILTER (is_sound(e.time_flag)) AS last_at,
        bool_or(e.event_type = 'ticket_escalated' OR coalesce(e.escalation_level, 0) > 0) AS escalated,
        max(e.escalation_level) AS escalation_level,
        count(*) AS event_count
    FROM record_events AS e JOIN record_numbers AS n USING (record_no)
    WHERE e.event_type LIKE 'ticket\_%' ESCAPE '\' OR e.escalation_level > 0
    GROUP BY n.customer_no, e.source, coalesce(e.reference, e.event_id)
) AS t
JOIN customer_numbers AS n USING (customer_no)
ORDER BY n.customer_id, t.source, t.ticket;

CREATE TEMP TABLE customer_tickets AS
SELECT
    n.customer_no,
    count(*) FILTER (is_ticket) AS ticket_count,
    count(*) FILTER (state = 'open') AS open_tickets,
    count(*) FILTER (escalated) AS escalations
FROM tickets AS t JOIN customer_numbers AS n USING (customer_id)
GROUP BY n.customer_no;

INSERT INTO product_escalations BY NAME
SELECT
    product,
    department,
    grouping(department) = 1 AS all_departments,
    count(*) AS tickets,
    count(*) FILTER (escalated) AS escalated,
    count(*) FILTER (escalated) / count(*)::DOUBLE AS escalated_share,
    count(*) FILTER (state = 'open') AS open_tickets,
    count(solved_at) AS solved,
    quantile_disc(seconds_between(opened_at, solved_at), 0.5) FILTER (solved_at >= opened_at) AS median_solve_seconds,
    quantile_disc(seconds_between(opened_at, solved_at), 0.9) FILTER (solved_at >= opened_at) AS p90_solve_seconds,
    count(*) FILTER (escalation_level = 1) AS level_1,
    count(*) FILTER (escalation_level = 2) AS level_2,
    count(*) FILTER (escalation_level >= 3) AS level_3_and_above
FROM tickets
GROUP BY GROUPING SETS ((product, department), (product))
ORDER BY product NULLS FIRST, all_departments DESC, department NULLS FIRST;
