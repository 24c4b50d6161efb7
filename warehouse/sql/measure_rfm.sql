-- Quintiles by rank: equal values have one score, the least rank of theirs decides. Money is compared
-- within a currency; without any, frequency stands in for it.
CREATE TEMP TABLE customer_rfm AS
WITH based AS (
    SELECT
        p.customer_no, p.last_at, p.has_orders,
        CASE WHEN p.has_orders THEN v.order_count ELSE v.donation_count END AS frequency,
        v.currency,
        CASE WHEN p.has_orders THEN v.net_revenue ELSE v.donated END AS monetary
    FROM (
        SELECT m.customer_no, max(m.moment) AS last_at, bool_or(o.customer_no IS NOT NULL) AS has_orders
        FROM purchases AS m
        LEFT JOIN (SELECT DISTINCT customer_no FROM money WHERE sound AND event_type = 'order_placed') AS o USING (customer_no)
        GROUP BY m.customer_no
    ) AS p
    JOIN customer_value AS v USING (customer_no)
),
scored AS (
    SELECT
        *,
        (1 + 5 * (rank() OVER (ORDER BY last_at) - 1) // count(*) OVER ())::TINYINT AS rfm_recency,
        (1 + 5 * (rank() OVER (ORDER BY frequency) - 1) // count(*) OVER ())::TINYINT AS rfm_frequency,
        CASE WHEN monetary IS NOT NULL THEN
            1 + 5 * (rank() OVER (PARTITION BY currency, monetary IS NULL ORDER BY monetary) - 1)
                // count(*) OVER (PARTITION BY currency, monetary IS NULL)
        END::TINYINT AS rfm_monetary
    FROM based
)
SELECT
    customer_no, rfm_recency, rfm_frequency, rfm_monetary,
    -- Rows: recency 5 to 1; columns: the mean of frequency and monetary, half up, 1 to 5.
    CASE rfm_recency
        WHEN 5 THEN ['new', 'potential_loyalists', 'potential_loyalists', 'champions', 'champions']
        WHEN 4 THEN ['promising', 'potential_loyalists', 'loyal', 'champions', 'champions']
        WHEN 3 THEN ['about_to_sleep', 'about_to_sleep', 'need_attention', 'loyal', 'loyal']
        WHEN 2 THEN ['hibernating', 'hibernating', 'at_risk', 'at_risk', 'at_risk']
        ELSE ['lost', 'hibernating', 'at_risk', 'cannot_lose', 'cannot_lose']
    END[(rfm_frequency + coalesce(rfm_monetary, rfm_frequency) + 1) // 2] AS rfm_segment
FROM scored;
