-- What reads whole profiles: after customers.
INSERT INTO lifecycle_changes BY NAME
SELECT
    customer_id, entered_at, stage,
    lag(stage) OVER ordering AS previous_stage,
    lead(entered_at) OVER ordering AS left_at
FROM (
    SELECT n.customer_id, l.entered_at, l.stage
    FROM lifecycle_entries AS l JOIN customer_numbers AS n USING (customer_no)
    UNION ALL
    SELECT c.customer_id, c.first_seen_at, 'lead'
    FROM customers AS c LEFT JOIN (
        SELECT n.customer_id, min(p.moment) AS first_at
        FROM purchases AS p JOIN customer_numbers AS n USING (customer_no)
        GROUP BY n.customer_id
    ) AS b USING (customer_id)
    WHERE NOT c.is_anonymous AND (b.first_at IS NULL OR c.first_seen_at < b.first_at)
)
WINDOW ordering AS (PARTITION BY customer_id ORDER BY entered_at NULLS FIRST)
ORDER BY customer_id, entered_at NULLS FIRST;

INSERT INTO lifecycle_months BY NAME
WITH moves AS (
    SELECT date_trunc('month', entered_at)::DATE AS month, stage, 1 AS entered, 0 AS exited FROM lifecycle_changes WHERE entered_at IS NOT NULL
    UNION ALL
    SELECT date_trunc('month', left_at)::DATE, stage, 0, 1 FROM lifecycle_changes WHERE left_at IS NOT NULL AND entered_at IS NOT NULL
),
counted AS (SELECT month, stage, sum(entered) AS entered, sum(exited) AS exited FROM moves GROUP BY month, stage),
months AS (
    SELECT unnest(generate_series(min(month), max(month), INTERVAL 1 MONTH))::DATE AS month FROM counted
)
SELECT
    m.month, s.stage,
    coalesce(c.entered, 0) AS entered,
    coalesce(c.exited, 0) AS exited,
    sum(coalesce(c.entered, 0) - coalesce(c.exited, 0)) OVER (PARTITION BY s.stage ORDER BY m.month) AS standing
FROM months AS m
CROSS JOIN (VALUES ('lead'), ('customer'), ('lapsing'), ('lapsed'), ('won_back')) AS s (stage)
LEFT JOIN counted AS c ON c.month = m.month AND c.stage = s.stage
ORDER BY m.month, s.stage;

INSERT INTO rfm_cells BY NAME
SELECT
    rfm_recency, rfm_frequency, rfm_monetary, rfm_segment, currency,
    count(*) AS customers,
    sum(net_revenue) AS net_revenue,
    sum(donated) AS donated,
    sum(profit) AS profit
FROM customers WHERE rfm_segment IS NOT NULL
GROUP BY rfm_recency, rfm_frequency, rfm_monetary, rfm_segment, currency
ORDER BY ALL;

INSERT INTO profitability BY NAME
SELECT
    CASE grouping(profit_decile, rfm_segment, lifecycle_stage)
        WHEN 3 THEN 'profit_decile' WHEN 5 THEN 'rfm_segment' WHEN 6 THEN 'lifecycle_stage' ELSE 'all'
    END AS dimension,
    coalesce(profit_decile::VARCHAR, rfm_segment, lifecycle_stage) AS bucket,
    count(*) AS customers,
    sum(order_count)::BIGINT AS orders,
    sum(net_revenue) AS net_revenue,
    sum(gross_margin) AS gross_margin,
    sum(cost_to_serve) AS cost_to_serve,
    sum(profit) AS profit,
    count(*) FILTER (profit < 0) AS at_a_loss
FROM customers WHERE profit_decile IS NOT NULL
GROUP BY GROUPING SETS ((profit_decile), (rfm_segment), (lifecycle_stage), ())
HAVING count(*) > 0
ORDER BY dimension, try_cast(bucket AS INTEGER) NULLS FIRST, bucket NULLS FIRST;
