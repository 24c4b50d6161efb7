-- An order that several sources report, by its reference or under its number as id, counts once: by
-- a source whose channel is orders, else by the first by name. Its lines in that source all count.
CREATE TEMP TABLE money AS
SELECT customer_no, event_type, coalesce(reference, event_id) AS item,
       amount, amount_base, currency, occurred_at, is_sound(time_flag) AS sound
FROM (
    SELECT
        n.customer_no, e.*,
        first_value(e.source) OVER (
            PARTITION BY n.customer_no, e.event_type, coalesce(e.reference, e.event_id)
            ORDER BY e.channel NOT IN ('orders', 'donations'), e.source
        ) AS reporter
    FROM record_events AS e JOIN record_numbers AS n USING (record_no)
    WHERE e.event_type IN ('order_placed', 'order_refunded', 'donation_made', 'donation_refunded')
)
WHERE source = reporter;

CREATE TEMP TABLE purses AS
SELECT
    customer_no,
    CASE
        WHEN bool_and(amount_base IS NOT NULL) THEN (SELECT base_currency FROM cdp_release)
        WHEN count(DISTINCT currency) = 1 AND bool_and(currency IS NOT NULL) THEN min(currency)
    END AS currency,
    bool_and(amount_base IS NOT NULL) AS in_base
FROM money WHERE amount IS NOT NULL GROUP BY customer_no;

CREATE TEMP TABLE customer_value AS
WITH counted AS (
    SELECT
        m.*, p.currency AS purse,
        CASE WHEN p.in_base THEN m.amount_base WHEN p.currency IS NOT NULL THEN m.amount END AS money
    FROM money AS m LEFT JOIN purses AS p USING (customer_no)
),
summed AS (
    SELECT
        customer_no,
        min(purse) AS currency,
        count(DISTINCT item) FILTER (event_type = 'order_placed') AS order_count,
        count(DISTINCT item) FILTER (event_type = 'order_placed' AND money IS NOT NULL) AS priced_orders,
        sum(money) FILTER (event_type = 'order_placed') AS revenue,
        count(DISTINCT item) FILTER (event_type = 'order_refunded') AS refund_count,
        sum(abs(money)) FILTER (event_type = 'order_refunded') AS refunded,
        min(occurred_at) FILTER (event_type = 'order_placed' AND sound) AS first_order_at,
        max(occurred_at) FILTER (event_type = 'order_placed' AND sound) AS last_order_at,
        count(DISTINCT item) FILTER (event_type = 'donation_made') AS donation_count,
        sum(CASE WHEN event_type = 'donation_made' THEN money ELSE -abs(money) END)
            FILTER (event_type LIKE 'donation%') AS donated
    FROM counted GROUP BY customer_no
)
SELECT
    * EXCLUDE (priced_orders),
    CASE WHEN currency IS NOT NULL THEN coalesce(revenue, 0) - coalesce(refunded, 0) END AS net_revenue,
    (revenue / nullif(priced_orders, 0))::DECIMAL(38, 4) AS average_order
FROM summed;
