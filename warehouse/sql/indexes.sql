-- After the rows, so that each is built once and in order.
CREATE UNIQUE INDEX customers_by_id ON customers (customer_id);
CREATE UNIQUE INDEX records_by_key ON customer_records (record_key);
CREATE INDEX records_by_customer ON customer_records (customer_id);
CREATE INDEX identifiers_by_value ON customer_identifiers (value);
CREATE INDEX identifiers_by_customer ON customer_identifiers (customer_id);
CREATE INDEX tickets_by_customer ON tickets (customer_id);
