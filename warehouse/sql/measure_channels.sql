-- A conversation is a thread (reference) in which both sides have spoken; what belongs to none is the
-- channel's one common conversation with the person.
CREATE TEMP TABLE conversations AS
SELECT DISTINCT customer_no, channel_no, thread FROM acts
WHERE thread IS NOT NULL AND (is_response(roles) OR is_awaits(roles))
INTERSECT
SELECT DISTINCT customer_no, channel_no, thread FROM acts
WHERE thread IS NOT NULL AND (is_touch(roles) OR is_reply(roles));

CREATE TEMP VIEW spoken AS
SELECT a.*, coalesce(c.thread, 0) AS conversation
FROM acts AS a LEFT JOIN conversations AS c
    ON c.customer_no = a.customer_no AND c.channel_no = a.channel_no AND c.thread = a.thread;

-- Each response goes to the newest touch before it in its conversation, and a touch has its first one.
-- Time and campaign of a touch are one number, so that the greatest is the newest.
CREATE TEMP TABLE answered_touches AS
SELECT
    customer_no, channel_no, conversation,
    make_timestamptz((touch // 4294967296)::BIGINT) AS touched_at,
    nullif((touch % 4294967296)::INTEGER, 0) AS campaign_no,
    min(moment) AS response_at
FROM (
    SELECT
        customer_no, channel_no, conversation, moment, roles,
        max(CASE WHEN is_touch(roles) THEN epoch_us(moment)::HUGEINT * 4294967296 + coalesce(campaign_no, 0) END) OVER (
            PARTITION BY customer_no, channel_no, conversation ORDER BY moment, is_touch(roles) DESC
            RANGE UNBOUNDED PRECEDING
        ) AS touch
    FROM spoken SEMI JOIN (
        SELECT DISTINCT customer_no, channel_no FROM acts WHERE is_response(roles)
    ) AS answering USING (customer_no, channel_no)
    WHERE is_touch(roles) OR is_response(roles)
)
WHERE is_response(roles) AND touch IS NOT NULL
    AND moment <= make_timestamptz((touch // 4294967296)::BIGINT) + (SELECT response FROM measure_given)
GROUP BY customer_no, channel_no, conversation, touch;

-- A wait begins with a message of the person while none of the last messages waits, and ends with what
-- we send next; messages further apart than the window are waits of their own.
CREATE TEMP TABLE waits AS
SELECT customer_no, channel_no, moment, CASE WHEN next_reply <= moment + (SELECT reply FROM measure_given) THEN next_reply END AS reply_at
FROM (
    SELECT
        customer_no, channel_no, moment, waiting,
        min(CASE WHEN replying THEN moment END) OVER later AS next_reply,
        max(CASE WHEN replying THEN moment END) OVER earlier AS last_reply,
        max(CASE WHEN waiting THEN moment END) OVER earlier AS last_message
    FROM (
        SELECT DISTINCT customer_no, channel_no, conversation, moment, is_awaits(roles) AS waiting, NOT is_awaits(roles) AS replying
        FROM spoken SEMI JOIN (
            SELECT DISTINCT customer_no, channel_no FROM acts WHERE is_awaits(roles)
        ) AS waiting_people USING (customer_no, channel_no)
        WHERE is_awaits(roles) OR is_reply(roles) AND campaign_no IS NULL
    )
    WINDOW
        earlier AS (PARTITION BY customer_no, channel_no, conversation ORDER BY moment, waiting
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        later AS (PARTITION BY customer_no, channel_no, conversation ORDER BY moment, waiting
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
WHERE waiting AND (
    last_message IS NULL OR last_reply > last_message OR last_message + (SELECT reply FROM measure_given) < moment
);

INSERT INTO customer_channels BY NAME
WITH contacts AS (
    SELECT
        customer_no, channel_no,
        count(*) FILTER (is_contact_in(roles)) AS contacts_in,
        count(*) FILTER (is_touch(roles)) AS contacts_out,
        min(moment) AS first_contact_at,
        max(moment) AS last_contact_at
    FROM acts WHERE is_contact_in(roles) OR is_touch(roles)
    GROUP BY customer_no, channel_no
),
responses AS (
    SELECT customer_no, channel_no, count(DISTINCT touched_at) AS responses,
           quantile_disc(seconds_between(touched_at, response_at), 0.5) AS median_response_seconds
    FROM answered_touches GROUP BY customer_no, channel_no
),
replies AS (
    SELECT customer_no, channel_no, count(*) AS waits, count(reply_at) AS replies,
           quantile_disc(seconds_between(moment, reply_at), 0.5) FILTER (reply_at IS NOT NULL) AS median_reply_seconds
    FROM waits GROUP BY customer_no, channel_no
)
SELECT
    n.customer_id, h.channel, c.contacts_in, c.contacts_out,
    coalesce(r.responses, 0) AS responses,
    coalesce(r.responses, 0) / nullif(c.contacts_out, 0)::DOUBLE AS response_rate,
    r.median_response_seconds,
    coalesce(w.waits, 0) AS waits,
    coalesce(w.replies, 0) AS replies,
    w.median_reply_seconds,
    c.first_contact_at, c.last_contact_at
FROM contacts AS c
JOIN act_channels AS h USING (channel_no)
JOIN customer_numbers AS n USING (customer_no)
LEFT JOIN responses AS r ON r.customer_no = c.customer_no AND r.channel_no = c.channel_no
LEFT JOIN replies AS w ON w.customer_no = c.customer_no AND w.channel_no = c.channel_no
ORDER BY n.customer_id, h.channel;

INSERT INTO channel_responses BY NAME
WITH contacts AS (
    SELECT channel_no, date_trunc('month', moment)::DATE AS month,
           count(*) FILTER (is_contact_in(roles)) AS contacts_in,
           count(*) FILTER (is_touch(roles)) AS contacts_out
    FROM acts WHERE is_contact_in(roles) OR is_touch(roles)
    GROUP BY GROUPING SETS ((channel_no, month), (channel_no))
),
responses AS (
    SELECT channel_no, date_trunc('month', touched_at)::DATE AS month, count(*) AS responses,
           quantile_disc(seconds_between(touched_at, response_at), [0.5, 0.9]) AS times
    FROM (
        SELECT customer_no, channel_no, touched_at, min(response_at) AS response_at
        FROM answered_touches GROUP BY ALL
    )
    GROUP BY GROUPING SETS ((channel_no, month), (channel_no))
),
replies AS (
    SELECT channel_no, date_trunc('month', moment)::DATE AS month, count(*) AS waits, count(reply_at) AS replies,
           quantile_disc(seconds_between(moment, reply_at), [0.5, 0.9]) FILTER (reply_at IS NOT NULL) AS times
    FROM waits GROUP BY GROUPING SETS ((channel_no, month), (channel_no))
)
SELECT
    h.channel, c.month, c.contacts_in, c.contacts_out,
    coalesce(r.responses, 0) AS responses,
    coalesce(r.responses, 0) / nullif(c.contacts_out, 0)::DOUBLE AS response_rate,
    r.times[1] AS median_response_seconds, r.times[2] AS p90_response_seconds,
    coalesce(w.waits, 0) AS waits,
    coalesce(w.replies, 0) AS replies,
    w.replies / nullif(w.waits, 0)::DOUBLE AS reply_rate,
    w.times[1] AS median_reply_seconds, w.times[2] AS p90_reply_seconds
FROM contacts AS c
JOIN act_channels AS h USING (channel_no)
LEFT JOIN responses AS r ON r.channel_no = c.channel_no AND r.month IS NOT DISTINCT FROM c.month
LEFT JOIN replies AS w ON w.channel_no = c.channel_no AND w.month IS NOT DISTINCT FROM c.month
ORDER BY h.channel, c.month NULLS FIRST;
