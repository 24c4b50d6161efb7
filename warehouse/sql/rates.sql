-- The rate of each currency and day that occurs: the newest one that is not younger than the day.
CREATE TEMP TABLE day_rates AS
WITH known AS (
    SELECT upper(currency) AS currency, date, rate FROM input_rates
    WHERE upper(currency) IS DISTINCT FROM (SELECT base_currency FROM cdp_release)
    UNION ALL
    SELECT base_currency, DATE '0001-01-01', 1 FROM cdp_release WHERE base_currency IS NOT NULL
),
wanted AS (
    SELECT DISTINCT currency, occurred_at::DATE AS day FROM current_events WHERE amount IS NOT NULL
)
SELECT wanted.currency, wanted.day, known.rate
FROM wanted ASOF JOIN known ON wanted.currency = known.currency AND wanted.day >= known.date;
