-- By type and time, so that what a rule asks for lies together and the rest is not read. Events of bots and
-- machines are nobody's doing. Text as it stands: DuckDB keeps each distinct value once per row group.
INSERT INTO behaviour BY NAME
SELECT
    e.event_type, e.occurred_at, n.customer_no, e.time_flag,
    e.channel, e.direction, e.source, e.campaign, e.product, e.outcome, e.brand,
    e.amount, e.currency, e.amount_base
FROM record_events AS e JOIN record_numbers AS n USING (record_no)
WHERE NOT coalesce(e.outcome IN (SELECT outcome FROM input_unattended), false)
ORDER BY e.event_type, e.occurred_at, n.customer_no, e.source, e.event_id;
