-- Numbers in the order of the profiles keep the events of one person together on disk.
CREATE TEMP TABLE record_numbers AS
SELECT
    row_number() OVER (ORDER BY customer_id, record_key)::INTEGER AS record_no,
    dense_rank() OVER (ORDER BY customer_id)::INTEGER AS customer_no,
    record_key,
    customer_id
FROM input_id_map;

CREATE TEMP MACRO is_sound(time_flag) AS time_flag IS NULL OR time_flag = 'ambiguous';
