CREATE TEMP TABLE customer_profit AS
WITH served AS (
    SELECT customer_no, sum(cost) AS contact_cost FROM acts WHERE cost IS NOT NULL GROUP BY customer_no
),
summed AS (
    SELECT
        n.customer_no,
        (coalesce(s.contact_cost, 0) + coalesce(v.order_count, 0) * order_cost + coalesce(v.refund_count, 0) * refund_cost)::DECIMAL(38, 4) AS cost_to_serve,
        -- What is in another currency than the costs has no margin here; who never bought has none to give.
        CASE
            WHEN v.customer_no IS NULL OR v.order_count + v.refund_count = 0 THEN margin_cost * 0
            WHEN v.currency = (SELECT base_currency FROM cdp_release) THEN v.net_revenue * margin_cost
        END::DECIMAL(38, 4) AS gross_margin
    FROM customer_numbers AS n
    CROSS JOIN measure_given
    LEFT JOIN served AS s USING (customer_no)
    LEFT JOIN customer_value AS v USING (customer_no)
    WHERE has_costs
),
deciles AS (
    SELECT customer_no, (1 + 10 * (rank() OVER (ORDER BY gross_margin - cost_to_serve DESC) - 1) // count(*) OVER ())::TINYINT AS profit_decile
    FROM summed
    WHERE gross_margin IS NOT NULL AND (gross_margin <> 0 OR cost_to_serve <> 0)
)
SELECT s.*, (gross_margin - cost_to_serve)::DECIMAL(38, 4) AS profit, d.profit_decile
FROM summed AS s LEFT JOIN deciles AS d USING (customer_no);
