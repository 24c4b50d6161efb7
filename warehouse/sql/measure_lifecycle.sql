-- The moments of purchases: of orders, or where there is no dated order, of donations.
CREATE TEMP TABLE purchases AS
SELECT customer_no, occurred_at AS moment
FROM (
    SELECT *, bool_or(event_type = 'order_placed') OVER (PARTITION BY customer_no) AS has_orders
    FROM money WHERE sound AND event_type IN ('order_placed', 'donation_made')
)
WHERE event_type = 'order_placed' OR NOT has_orders
GROUP BY customer_no, occurred_at;

-- Thresholds are judged at the start of the release's day: two releases of a day give the same stages.
CREATE TEMP TABLE lifecycle_entries AS
WITH ordered AS (
    SELECT
        customer_no, moment,
        lag(moment) OVER ordering AS previous,
        lag(moment, 2) OVER ordering AS previous_but_one,
        coalesce(lead(moment) OVER ordering, 'infinity') AS next
    FROM purchases WINDOW ordering AS (PARTITION BY customer_no ORDER BY moment)
),
judged AS (
    SELECT o.*, lapsing, lapsed, date_trunc('day', created_at) AS today,
           coalesce(previous + lapsed < moment, false) AS comes_back,
           coalesce(previous_but_one + lapsed < previous, false) AS had_come_back
    FROM ordered AS o CROSS JOIN measure_given CROSS JOIN cdp_release
)
SELECT customer_no, moment AS entered_at, CASE WHEN comes_back THEN 'won_back' ELSE 'customer' END AS stage
FROM judged WHERE previous IS NULL OR previous + lapsing < moment OR had_come_back
UNION ALL
SELECT customer_no, moment + lapsing, 'lapsing' FROM judged
WHERE moment + lapsing < next AND (next < 'infinity' OR moment + lapsing <= today)
UNION ALL
SELECT customer_no, moment + lapsed, 'lapsed' FROM judged
WHERE moment + lapsed < next AND (next < 'infinity' OR moment + lapsed <= today);

CREATE TEMP TABLE customer_lifecycle AS
SELECT customer_no, max(entered_at) AS lifecycle_since, arg_max(stage, entered_at) AS lifecycle_stage
FROM lifecycle_entries GROUP BY customer_no;
