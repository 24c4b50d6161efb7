CREATE TEMP TABLE golden AS
SELECT
    customer_id,
    max(value) FILTER (attribute = 'full_name') AS full_name,
    max(value) FILTER (attribute = 'given_name') AS given_name,
    max(value) FILTER (attribute = 'surname') AS surname,
    max(value) FILTER (attribute = 'title') AS title,
    max(value) FILTER (attribute = 'gender') AS gender,
    try_cast(max(value) FILTER (attribute = 'birth_date') AS DATE) AS birth_date,
    max(value) FILTER (attribute = 'email') AS email,
    max(value) FILTER (attribute = 'phone') AS phone,
    max(value) FILTER (attribute = 'street') AS street,
    max(value) FILTER (attribute = 'city') AS city,
    max(value) FILTER (attribute = 'region') AS region,
    max(value) FILTER (attribute = 'postcode') AS postcode,
    max(value) FILTER (attribute = 'country') AS country,
    max(value) FILTER (attribute = 'company') AS company,
    max(value) FILTER (attribute = 'language') AS language
FROM customer_attributions GROUP BY customer_id;

CREATE TEMP TABLE profiles AS
SELECT
    n.customer_no,
    r.customer_id,
    count(DISTINCT r.source) AS source_count,
    list(DISTINCT r.source ORDER BY r.source) AS sources,
    count(*) AS record_count,
    sum(r.event_count)::BIGINT AS event_count,
    min(r.first_seen_at) AS first_seen_at,
    max(r.last_seen_at) AS last_seen_at,
    min(r.match_probability) AS match_probability
FROM customer_records AS r JOIN record_numbers AS n USING (record_no)
GROUP BY n.customer_no, r.customer_id;

-- In steps, because each join holds one of its sides in memory.
CREATE TEMP TABLE named_profiles AS
SELECT
    p.*,
    g.* EXCLUDE (customer_id) REPLACE (coalesce(codes.code, g.country) AS country),
    coalesce(reached.identifier_types, []) AS identifier_types
FROM profiles AS p
LEFT JOIN golden AS g ON g.customer_id = p.customer_id
LEFT JOIN country_codes AS codes ON codes.text = g.country
LEFT JOIN (
    SELECT customer_id, list(DISTINCT type ORDER BY type) AS identifier_types FROM customer_identifiers GROUP BY customer_id
) AS reached ON reached.customer_id = p.customer_id;

DROP TABLE golden;
DROP TABLE profiles;

CREATE TEMP TABLE customer_acts AS
SELECT
    n.customer_no,
    places.place.latitude AS latitude,
    places.place.longitude AS longitude,
    coalesce(channels.channels, []) AS channels,
    coalesce(t.ticket_count, 0) AS ticket_count,
    coalesce(t.open_tickets, 0) AS open_tickets,
    coalesce(t.escalations, 0) AS escalations,
    c.* EXCLUDE (customer_no),
    coalesce(w.consent_marketing_email, 'unknown') AS consent_marketing_email,
    coalesce(w.consent_marketing_sms, 'unknown') AS consent_marketing_sms,
    coalesce(w.consent_marketing_phone, 'unknown') AS consent_marketing_phone,
    coalesce(w.consent_marketing_post, 'unknown') AS consent_marketing_post,
    coalesce(w.consent_marketing_social, 'unknown') AS consent_marketing_social,
    coalesce(w.consent_analytics, 'unknown') AS consent_analytics,
    coalesce(w.consent_personalisation, 'unknown') AS consent_personalisation
FROM customer_numbers AS n
LEFT JOIN customer_places AS places ON places.customer_no = n.customer_no
LEFT JOIN profile_channels AS channels ON channels.customer_no = n.customer_no
LEFT JOIN customer_tickets AS t ON t.customer_no = n.customer_no
LEFT JOIN customer_contacts AS c ON c.customer_no = n.customer_no
LEFT JOIN customer_consent_columns AS w ON w.customer_no = n.customer_no;

DROP TABLE profile_channels;
DROP TABLE customer_contacts;

INSERT INTO customers BY NAME
SELECT
    p.*,
    a.* EXCLUDE (customer_no),
    full_name IS NULL AND given_name IS NULL AND surname IS NULL AND email IS NULL AND phone IS NULL
        AND NOT list_has_any(identifier_types, ['email', 'phone', 'user_id']) AS is_anonymous,
    m.* EXCLUDE (customer_no, lifecycle_stage, lifecycle_since),
    coalesce(m.lifecycle_stage, CASE WHEN NOT is_anonymous THEN 'lead' END) AS lifecycle_stage,
    CASE WHEN m.lifecycle_stage IS NOT NULL THEN m.lifecycle_since WHEN NOT is_anonymous THEN p.first_seen_at END AS lifecycle_since
FROM named_profiles AS p
JOIN customer_acts AS a ON a.customer_no = p.customer_no
JOIN customer_measures AS m ON m.customer_no = p.customer_no
ORDER BY p.customer_id;

DROP TABLE named_profiles;
DROP TABLE customer_acts;
DROP TABLE customer_measures;
