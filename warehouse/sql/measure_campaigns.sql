-- What one message of a campaign met with; without a reference each event is a message of its own.
CREATE TEMP TABLE campaign_messages AS
SELECT
    campaign_no, channel_no, customer_no, coalesce(thread, act_hash) AS message,
    bit_or(roles) AS roles,
    min(moment) FILTER (is_touch(roles)) AS touched_at,
    min(moment) FILTER (is_touch(roles) OR is_delivery(roles)) AS sent_at
FROM acts
WHERE campaign_no IS NOT NULL
    AND roles & (bit_touch() | bit_delivery() | bit_bounce() | bit_open() | bit_machine_open() | bit_click() | bit_unsubscribe() | bit_complaint()) <> 0
GROUP BY ALL;

CREATE TEMP TABLE bought AS
SELECT customer_no, item, event_type, min(occurred_at) AS moment, sum(amount_base) AS amount_base, sum(amount) AS amount,
       min(currency) AS currency, max(currency) AS other_currency, count(*) FILTER (amount IS NOT NULL AND currency IS NULL) = 0 AS known
FROM money WHERE sound AND event_type IN ('order_placed', 'donation_made')
GROUP BY customer_no, item, event_type;

-- The newest act of the person that names a campaign (a click, a visit, a reply, the order itself).
CREATE TEMP TABLE credited AS
WITH touches AS (
    SELECT customer_no, moment, max(campaign_no::BIGINT * 256 + channel_no) AS place
    FROM acts SEMI JOIN (SELECT DISTINCT customer_no FROM bought) AS buyers USING (customer_no)
    WHERE campaign_no IS NOT NULL AND (is_click(roles) OR is_visit(roles) OR is_response(roles))
    GROUP BY customer_no, moment
)
SELECT (t.place // 256)::INTEGER AS campaign_no, (t.place % 256)::UTINYINT AS channel_no, b.*
FROM bought AS b ASOF JOIN touches AS t ON b.customer_no = t.customer_no AND b.moment >= t.moment
WHERE b.moment <= t.moment + (SELECT attribution FROM measure_given);

CREATE TEMP TABLE followed AS
SELECT DISTINCT m.campaign_no, m.channel_no, b.*
FROM bought AS b JOIN campaign_messages AS m
    ON m.customer_no = b.customer_no AND b.moment >= m.sent_at AND b.moment <= m.sent_at + (SELECT attribution FROM measure_given);

-- In the base currency what has a rate; without a base currency, the only one there is: no amount may be without one.
CREATE TEMP MACRO only_currency(currency, other_currency, known) AS
    CASE WHEN min(currency) = max(other_currency) AND bool_and(known) THEN min(currency) END;
CREATE TEMP MACRO sum_in(base, amount_base, amount, currency, other_currency, known) AS
    CASE WHEN base IS NOT NULL THEN coalesce(sum(amount_base), 0) WHEN only_currency(currency, other_currency, known) IS NOT NULL THEN sum(amount) END;

INSERT INTO campaigns BY NAME
WITH messages AS (
    SELECT
        campaign_no, channel_no,
        count(*) FILTER (is_touch(roles) OR is_delivery(roles) OR is_bounce(roles)) AS sends,
        count(*) FILTER (is_delivery(roles)) AS delivered,
        count(*) FILTER (is_open(roles)) AS opens,
        count(*) FILTER (is_machine_open(roles) AND NOT is_open(roles)) AS machine_opens,
        count(*) FILTER (is_click(roles)) AS clicks,
        count(*) FILTER (is_bounce(roles)) AS bounces,
        count(*) FILTER (is_unsubscribe(roles)) AS unsubscribes,
        count(*) FILTER (is_complaint(roles)) AS complaints,
        min(sent_at) AS first_sent_at,
        max(sent_at) AS last_sent_at
    FROM campaign_messages GROUP BY campaign_no, channel_no
),
people AS (
    SELECT
        campaign_no, channel_no,
        count(DISTINCT customer_no) FILTER (is_touch(roles) OR is_delivery(roles)) AS people,
        count(DISTINCT customer_no) FILTER (is_visit(roles)) AS visitors
    FROM acts WHERE campaign_no IS NOT NULL AND roles <> 0
    GROUP BY campaign_no, channel_no
),
responses AS (
    SELECT campaign_no, channel_no, count(*) AS responses
    FROM answered_touches WHERE campaign_no IS NOT NULL
    GROUP BY campaign_no, channel_no
),
last_touch AS (
    SELECT
        campaign_no, channel_no, count(*) AS orders,
        count(*) FILTER (amount IS NOT NULL AND amount_base IS NULL) AS unconverted,
        sum_in(any_value(base_currency), amount_base, amount, currency, other_currency, known) AS revenue,
        coalesce(any_value(base_currency), only_currency(currency, other_currency, known)) AS currency
    FROM credited CROSS JOIN cdp_release GROUP BY campaign_no, channel_no
),
any_touch AS (
    SELECT
        campaign_no, channel_no, count(*) AS orders,
        count(*) FILTER (amount IS NOT NULL AND amount_base IS NULL) AS unconverted,
        sum_in(any_value(base_currency), amount_base, amount, currency, other_currency, known) AS revenue,
        coalesce(any_value(base_currency), only_currency(currency, other_currency, known)) AS currency
    FROM followed CROSS JOIN cdp_release GROUP BY campaign_no, channel_no
)
SELECT
    c.campaign, h.channel,
    coalesce(m.sends, 0) AS sends,
    coalesce(m.delivered, 0) AS delivered,
    coalesce(m.opens, 0) AS opens,
    coalesce(m.machine_opens, 0) AS machine_opens,
    coalesce(m.clicks, 0) AS clicks,
    coalesce(r.responses, 0) AS responses,
    coalesce(m.bounces, 0) AS bounces,
    coalesce(m.unsubscribes, 0) AS unsubscribes,
    coalesce(m.complaints, 0) AS complaints,
    p.people, p.visitors,
    coalesce(l.orders, 0) AS orders,
    l.revenue,
    coalesce(f.orders, 0) AS orders_after_send,
    CASE WHEN l.currency IS NULL OR l.currency = f.currency THEN f.revenue END AS revenue_after_send,
    coalesce(l.currency, f.currency) AS currency,
    CASE WHEN base_currency IS NOT NULL THEN coalesce(l.unconverted, 0) END AS unconverted_orders,
    m.first_sent_at, m.last_sent_at
FROM people AS p
CROSS JOIN cdp_release
JOIN act_campaigns AS c USING (campaign_no)
JOIN act_channels AS h USING (channel_no)
LEFT JOIN messages AS m ON m.campaign_no = p.campaign_no AND m.channel_no = p.channel_no
LEFT JOIN responses AS r ON r.campaign_no = p.campaign_no AND r.channel_no = p.channel_no
LEFT JOIN last_touch AS l ON l.campaign_no = p.campaign_no AND l.channel_no = p.channel_no
LEFT JOIN any_touch AS f ON f.campaign_no = p.campaign_no AND f.channel_no = p.channel_no
ORDER BY c.campaign, h.channel;
