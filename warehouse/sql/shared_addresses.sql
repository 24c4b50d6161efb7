-- Who is written to or called at one of these reaches all of its customers: a denial by one of them counts there
-- for all (audiences/selection.py).
INSERT INTO shared_addresses BY NAME
WITH owned AS (
    SELECT customer_id, type, value FROM customer_identifiers WHERE type IN ('email', 'phone')
    UNION
    SELECT customer_id, type, value FROM golden_addresses
)
SELECT customer_id, type, value
FROM owned
SEMI JOIN (SELECT type, value FROM owned GROUP BY type, value HAVING count(*) > 1) USING (type, value)
ORDER BY type, value, customer_id;
