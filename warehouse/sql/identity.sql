INSERT INTO customer_records BY NAME
SELECT
    n.record_key,
    split_part(n.record_key, ':', 1) AS source,
    n.customer_id,
    c.match_probability,
    s.first_seen_at,
    s.last_seen_at,
    coalesce(s.event_count, 0) AS event_count,
    n.record_no
FROM record_numbers AS n
LEFT JOIN input_clusters AS c USING (record_key)
LEFT JOIN (
    SELECT
        record_no,
        count(*) AS event_count,
        min(occurred_at) FILTER (is_sound(time_flag)) AS first_seen_at,
        max(occurred_at) FILTER (is_sound(time_flag)) AS last_seen_at
    FROM record_events GROUP BY record_no
) AS s USING (record_no)
ORDER BY n.record_no;

INSERT INTO customer_identifiers BY NAME
SELECT
    n.customer_id, i.type, i.namespace, i.value, i.source,
    min(i.first_seen_at) AS first_seen_at,
    max(i.last_seen_at) AS last_seen_at,
    list(DISTINCT i.record_key ORDER BY i.record_key) AS record_keys
FROM input_record_identifiers AS i JOIN record_numbers AS n USING (record_key)
GROUP BY n.customer_id, i.type, i.namespace, i.value, i.source
ORDER BY n.customer_id, i.type, i.namespace, i.value, i.source;

INSERT INTO customer_attributions BY NAME
SELECT n.customer_id, a.attribute, a.value, a.source, a.record_key, a.observed_at, a.rule
FROM input_attributions AS a JOIN record_numbers AS n USING (record_key)
WHERE a.value IS NOT NULL
ORDER BY n.customer_id, a.attribute;

CREATE TEMP TABLE edges AS
SELECT
    l.customer_id AS left_customer_id,
    r.customer_id AS right_customer_id,
    l.record_key AS left_record,
    r.record_key AS right_record,
    e.kind, e.match_weight, e.match_probability, e.reason, e.levels
FROM input_evidence AS e
JOIN record_numbers AS l ON l.record_key = least(e.left_record, e.right_record)
JOIN record_numbers AS r ON r.record_key = greatest(e.left_record, e.right_record);

INSERT INTO match_evidence BY NAME
SELECT left_customer_id AS customer_id, * EXCLUDE (left_customer_id, right_customer_id)
FROM edges WHERE left_customer_id = right_customer_id
ORDER BY customer_id, left_record, right_record, kind, match_weight, reason;

INSERT INTO held_back_evidence BY NAME
WITH standing AS (
    SELECT left_record, right_record, arg_max({kind: kind, reason: reason, judge: decided_by, moment: decided_at}, judgement_id) AS word
    FROM input_judgements GROUP BY left_record, right_record
),
kept_apart AS (
    SELECT l.customer_id AS left_customer_id, r.customer_id AS right_customer_id,
           l.record_key AS left_record, r.record_key AS right_record, 'judgement' AS kind,
           concat('judged to be two people by ', word.judge, strftime(word.moment, ' on %Y-%m-%d'), ': ' || word.reason) AS reason
    FROM standing AS s
    JOIN record_numbers AS l ON l.record_key = least(s.left_record, s.right_record)
    JOIN record_numbers AS r ON r.record_key = greatest(s.left_record, s.right_record)
    WHERE word.kind = 'cannot_link' AND l.customer_id <> r.customer_id
)
SELECT * FROM edges WHERE left_customer_id <> right_customer_id
UNION ALL BY NAME SELECT * FROM kept_apart
ORDER BY left_record, right_record, kind, match_weight, reason;

INSERT INTO held_back_identifiers BY NAME
SELECT * FROM input_held_back ORDER BY what, type, namespace, value, reason;

-- A retired id leads straight to the profile that holds its records now, however often it moved.
INSERT INTO customer_redirects BY NAME
WITH RECURSIVE hops AS (
    SELECT previous_customer_id, customer_id, 1 AS hop FROM input_redirects
    UNION ALL
    SELECT h.previous_customer_id, r.customer_id, h.hop + 1
    FROM hops AS h JOIN input_redirects AS r ON r.previous_customer_id = h.customer_id
    WHERE h.hop < 1000
)
SELECT previous_customer_id, arg_max(customer_id, hop) AS customer_id
FROM hops GROUP BY previous_customer_id
ORDER BY previous_customer_id;

INSERT INTO id_changes BY NAME SELECT * FROM input_id_changes ORDER BY change_seq;

INSERT INTO quality BY NAME
SELECT * FROM input_quality ORDER BY checked_at, run_id, check_name, source, observed;
