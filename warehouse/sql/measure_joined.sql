-- One table of what has been measured of each profile: fewer joins at once where the profiles are made.
CREATE TEMP TABLE customer_measures AS
SELECT
    n.customer_no,
    v.* EXCLUDE (customer_no, order_count, refund_count, donation_count),
    coalesce(v.order_count, 0) AS order_count,
    coalesce(v.refund_count, 0) AS refund_count,
    coalesce(v.donation_count, 0) AS donation_count,
    r.* EXCLUDE (customer_no),
    l.* EXCLUDE (customer_no),
    p.* EXCLUDE (customer_no)
FROM customer_numbers AS n
LEFT JOIN customer_value AS v USING (customer_no)
LEFT JOIN customer_rfm AS r USING (customer_no)
LEFT JOIN customer_lifecycle AS l USING (customer_no)
LEFT JOIN customer_profit AS p USING (customer_no);

DROP TABLE customer_rfm;
DROP TABLE customer_lifecycle;
DROP TABLE customer_profit;
DROP TABLE acts CASCADE;
DROP TABLE answered_touches;
DROP TABLE waits;
DROP TABLE campaign_messages;
DROP TABLE conversations;
DROP TABLE followed;
DROP TABLE credited;
DROP TABLE bought;
