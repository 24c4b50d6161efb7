-- Every explicit word. Who unsubscribes or reports spam denies marketing on that channel; a
-- newsletter's sign-up form is no consent unless its source says so. Without a sound time (none, an
-- unset clock's, one of the future) a denial counts from when it landed, and a grant ranks before all
-- others, so that it never overrules a dated denial.
CREATE TEMP MACRO squeezed(given) AS regexp_replace(lower(given), '[\s._-]+', '', 'g');

-- What plainly is a channel's word counts as it (`E-Mail`); anything else stays a channel of its own.
CREATE TEMP MACRO channel_word(given) AS CASE
    WHEN squeezed(given) IN ('email', 'emails', 'electronicmail') THEN 'email'
    WHEN squeezed(given) IN ('sms', 'text', 'texts', 'textmessage', 'textmessages') THEN 'sms'
    WHEN squeezed(given) IN ('phone', 'telephone', 'call', 'calls', 'phonecall', 'phonecalls') THEN 'phone'
    WHEN squeezed(given) IN ('post', 'postal', 'postalmail', 'directmail', 'letter', 'letters') THEN 'post'
    WHEN squeezed(given) IN ('social', 'socialmedia') THEN 'social'
    ELSE trim(lower(given)) END;

CREATE TEMP TABLE consent_words AS
SELECT
    n.customer_no, w.purpose, w.channel, w.state, w.source, w.event_type, w.decided_at,
    {
        moment: coalesce(w.decided_at, '-infinity'::TIMESTAMPTZ),
        denied: w.state = 'denied',
        source: w.source,
        event_type: w.event_type
    } AS standing
FROM (
    SELECT *, CASE WHEN is_sound(time_flag) THEN occurred_at WHEN state = 'denied' THEN received_at END AS decided_at
    FROM (
        SELECT record_no, lower(consent_purpose) AS purpose, channel_word(consent_channel) AS channel,
               consent_state AS state, occurred_at, received_at, time_flag, source, event_type
        FROM record_events WHERE consent_state IN ('granted', 'denied')
        UNION ALL
        SELECT record_no, 'marketing', CASE WHEN event_type LIKE 'sms%' THEN 'sms' ELSE 'email' END,
               CASE WHEN event_type = 'email_resubscribed' THEN 'granted' ELSE 'denied' END,
               occurred_at, received_at, time_flag, source, event_type
        FROM record_events
        WHERE event_type IN ('email_unsubscribed', 'email_complained', 'email_resubscribed', 'sms_unsubscribed')
    )
) AS w
JOIN record_numbers AS n USING (record_no);

CREATE TEMP TABLE standing_consents AS
SELECT customer_no, purpose, channel,
       arg_max({state: state, decided_at: decided_at, source: source, event_type: event_type}, standing) AS word
FROM consent_words GROUP BY customer_no, purpose, channel;

INSERT INTO customer_consents BY NAME
SELECT n.customer_id, s.purpose, s.channel, s.word.state AS state, s.word.decided_at AS decided_at,
       s.word.source AS source, s.word.event_type AS event_type
FROM standing_consents AS s
JOIN (SELECT DISTINCT customer_no, customer_id FROM record_numbers) AS n USING (customer_no)
ORDER BY n.customer_id, s.purpose NULLS FIRST, s.channel NULLS FIRST;

-- A word about every purpose, or about every channel, counts for each of them.
CREATE TEMP TABLE wide_consents AS
SELECT customer_no, column_name, arg_max(state, standing) AS state
FROM (VALUES
    ('consent_marketing_email', 'marketing', 'email'),
    ('consent_marketing_sms', 'marketing', 'sms'),
    ('consent_marketing_phone', 'marketing', 'phone'),
    ('consent_marketing_post', 'marketing', 'post'),
    ('consent_marketing_social', 'marketing', 'social'),
    ('consent_analytics', 'analytics', NULL),
    ('consent_personalisation', 'personalisation', NULL)
) AS target (column_name, for_purpose, for_channel)
JOIN consent_words AS w
    ON (w.purpose IS NULL OR w.purpose = for_purpose)
    AND (w.channel IS NULL OR for_channel IS NULL OR w.channel = for_channel)
GROUP BY customer_no, column_name;

CREATE TEMP TABLE customer_consent_columns AS
SELECT
    customer_no,
    max(state) FILTER (column_name = 'consent_marketing_email') AS consent_marketing_email,
    max(state) FILTER (column_name = 'consent_marketing_sms') AS consent_marketing_sms,
    max(state) FILTER (column_name = 'consent_marketing_phone') AS consent_marketing_phone,
    max(state) FILTER (column_name = 'consent_marketing_post') AS consent_marketing_post,
    max(state) FILTER (column_name = 'consent_marketing_social') AS consent_marketing_social,
    max(state) FILTER (column_name = 'consent_analytics') AS consent_analytics,
    max(state) FILTER (column_name = 'consent_personalisation') AS consent_personalisation
FROM wide_consents GROUP BY customer_no;
