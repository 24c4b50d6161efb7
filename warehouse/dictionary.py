# ruff: noqa: E501 - a line per column, whatever its length
"""The table dictionary of a release: every table, view and column, said once.

A block per table: its name, kind and comment, then a line per column,
``name | type | pii | volatile | comment``. A type that ends in ``!`` is NOT NULL. ``volatile`` says
that the value may differ between two equal runs. ``@events`` stands for the columns of an event.
:mod:`warehouse.tables` reads it; the DDL, the comments in the release, ``cdp_dictionary`` and
``docs/reference/tables.md`` all come from here.
"""

from __future__ import annotations

from typing import Final

from warehouse.dictionary_measures import CUSTOMER_MEASURES, MEASURES

CUSTOMERS: Final = """
customers | table | One row per profile: the golden values of one person, with value, lifecycle and consent
customer_id      | VARCHAR!      | none   | no  | permanent id of the profile; a merged one redirects (customer_redirects)
is_anonymous     | BOOLEAN!      | none   | no  | no name, e-mail, phone or user_id is known
full_name        | VARCHAR       | direct | no  | full name
given_name       | VARCHAR       | direct | no  | given name
surname          | VARCHAR       | direct | no  | family name
title            | VARCHAR       | quasi  | no  | form of address
gender           | VARCHAR       | quasi  | no  | gender, as the source says
birth_date       | DATE          | direct | no  | date of birth; NULL where the golden text is no whole date (see customer_attributions)
email            | VARCHAR       | direct | no  | best e-mail address
phone            | VARCHAR       | direct | no  | best telephone number, E.164
street           | VARCHAR       | direct | no  | street and house number
city             | VARCHAR       | quasi  | no  | town
region           | VARCHAR       | quasi  | no  | county, state or region
postcode         | VARCHAR       | quasi  | no  | postcode
country          | VARCHAR       | none   | no  | country: its ISO 3166-1 alpha-2 code where the golden text is a known code or name, else that text (the source's own text: customer_attributions)
latitude         | DOUBLE        | quasi  | no  | last known position, degrees (WGS 84): of the newest event that has one and was no bot's
longitude        | DOUBLE        | quasi  | no  | last known position, degrees (WGS 84)
company          | VARCHAR       | quasi  | no  | company
language         | VARCHAR       | none   | no  | language
first_seen_at    | TIMESTAMPTZ   | none   | no  | first event; events without a sound time of their own do not count
last_seen_at     | TIMESTAMPTZ   | none   | no  | newest event of any kind (see last_engaged_at); events without a sound time of their own do not count
source_count     | INTEGER!      | none   | no  | sources that know the person
sources          | VARCHAR[]!    | none   | no  | names of these sources, sorted
record_count     | INTEGER!      | none   | no  | source records of the profile
event_count      | BIGINT!       | none   | no  | events in contact_history
channels         | VARCHAR[]!    | none   | no  | channels with at least one event, sorted
identifier_types | VARCHAR[]!    | none   | no  | types of the identifiers that are known, sorted: email, phone, user_id ...
match_probability | DOUBLE       | none   | no  | lowest match probability among the records; NULL for a single record
currency         | VARCHAR       | none   | no  | currency of the money columns: the base currency where all amounts convert, else their only one, else NULL (then so are the sums)
order_count      | INTEGER!      | none   | no  | orders placed
revenue          | DECIMAL(38,4) | none   | no  | sum of the orders placed, in currency
refund_count     | INTEGER!      | none   | no  | refunds
refunded         | DECIMAL(38,4) | none   | no  | sum paid back (positive), in currency
net_revenue      | DECIMAL(38,4) | none   | no  | revenue less refunded, in currency
average_order    | DECIMAL(38,4) | none   | no  | revenue per order with an amount, in currency
first_order_at   | TIMESTAMPTZ   | none   | no  | first order
last_order_at    | TIMESTAMPTZ   | none   | no  | newest order
donation_count   | INTEGER!      | none   | no  | donations
donated          | DECIMAL(38,4) | none   | no  | sum of the donations less those paid back, in currency
ticket_count     | INTEGER!      | none   | no  | support tickets
open_tickets     | INTEGER!      | none   | no  | tickets whose newest state is neither solved nor closed
escalations      | INTEGER!      | none   | no  | tickets, calls or chats that went to a higher level
last_inbound_at  | TIMESTAMPTZ   | none   | no  | the person's newest act towards us; what a bot or a machine did does not count
last_outbound_at | TIMESTAMPTZ   | none   | no  | our newest act towards the person
last_engaged_at  | TIMESTAMPTZ   | none   | no  | newest event that the person did of their own accord; what a bot or a machine did does not count
consent_marketing_email  | VARCHAR! | none | no | marketing by e-mail: granted, denied or unknown
consent_marketing_sms    | VARCHAR! | none | no | marketing by text message: granted, denied or unknown
consent_marketing_phone  | VARCHAR! | none | no | marketing by telephone: granted, denied or unknown
consent_marketing_post   | VARCHAR! | none | no | marketing by post: granted, denied or unknown
consent_marketing_social | VARCHAR! | none | no | marketing on social networks: granted, denied or unknown
consent_analytics        | VARCHAR! | none | no | analytics, whatever the channel: granted, denied or unknown
consent_personalisation  | VARCHAR! | none | no | personalisation, whatever the channel: granted, denied or unknown
customer_no      | INTEGER!      | none   | yes | number of the profile in this release (behaviour)
"""

IDENTITY: Final = """
customer_identifiers | table | One row per identifier of a profile and source that gave it
customer_id   | VARCHAR!    | none   | no | the profile
type          | VARCHAR!    | none   | no | email, phone, user_id, external_id, anonymous_id, handle ...
namespace     | VARCHAR     | none   | no | where the value is unique; NULL or empty = everywhere (email, phone)
value         | VARCHAR!    | direct | no | normalised value
source        | VARCHAR!    | none   | no | source that gave it
first_seen_at | TIMESTAMPTZ | none   | no | first event with it
last_seen_at  | TIMESTAMPTZ | none   | no | newest event with it
record_keys   | VARCHAR[]!  | direct | no | records that carry it, sorted

golden_addresses | table | One row per golden e-mail address or telephone number that is no identifier of its profile: a source gave it as a trait only
customer_id | VARCHAR! | none   | no | the profile
type        | VARCHAR! | none   | no | email or phone
value       | VARCHAR! | direct | no | normalised value

shared_addresses | table | One row per profile and e-mail address or telephone number that other profiles have, too
customer_id | VARCHAR! | none   | no | a profile that has it, as an identifier or a golden value
type        | VARCHAR! | none   | no | email or phone
value       | VARCHAR! | direct | no | normalised value

customer_records | table | The id map: one row per source record
record_key        | VARCHAR!    | direct | no  | source:key, one source's view of one person
source            | VARCHAR!    | none   | no  | source of the record
customer_id       | VARCHAR!    | none   | no  | profile that the record belongs to
match_probability | DOUBLE      | none   | no  | lowest probability on the record's best path in its cluster; NULL for a record alone
first_seen_at     | TIMESTAMPTZ | none   | no  | first event; events without a sound time of their own do not count
last_seen_at      | TIMESTAMPTZ | none   | no  | newest event
event_count       | BIGINT!     | none   | no  | events of the record
record_no         | INTEGER!    | none   | yes | number of the record in this release (record_events)

customer_redirects | table | One row per retired customer id
previous_customer_id | VARCHAR! | none | yes | id that is no longer in use
customer_id          | VARCHAR! | none | yes | profile that holds its records now

customer_attributions | table | One row per golden value: where it came from
customer_id | VARCHAR!    | none   | no | the profile
attribute   | VARCHAR!    | none   | no | column of customers
value       | VARCHAR     | direct | no | golden value, as text
source      | VARCHAR     | none   | no | source that gave it
record_key  | VARCHAR     | direct | no | record that it came from
observed_at | TIMESTAMPTZ | none   | no | when the source said so
rule        | VARCHAR     | none   | no | survivorship rule that chose it

match_evidence | table | One row per edge inside a profile: why its records are one person
customer_id       | VARCHAR! | none   | no | the profile
left_record       | VARCHAR! | direct | no | record_key, the smaller one
right_record      | VARCHAR! | direct | no | record_key, the greater one
kind              | VARCHAR! | none   | no | deterministic, probabilistic or judgement
match_weight      | DOUBLE   | none   | no | match weight, log2 of the likelihood ratio
match_probability | DOUBLE   | none   | no | match probability
reason            | VARCHAR  | direct | no | the reason in words
levels            | VARCHAR  | direct | no | comparison levels and their weights, JSON

held_back_evidence | table | One row per edge between two profiles: what was known and did not join them
left_customer_id  | VARCHAR! | none   | no | profile of left_record
right_customer_id | VARCHAR! | none   | no | profile of right_record
left_record       | VARCHAR! | direct | no | record_key, the smaller one
right_record      | VARCHAR! | direct | no | record_key, the greater one
kind              | VARCHAR! | none   | no | deterministic, probabilistic or judgement
match_weight      | DOUBLE   | none   | no | match weight, log2 of the likelihood ratio
match_probability | DOUBLE   | none   | no | match probability
reason            | VARCHAR  | direct | no | the reason in words
levels            | VARCHAR  | direct | no | comparison levels and their weights, JSON

held_back_identifiers | table | One row per identifier value that links nobody (placeholders, values of too many people), and per record, cluster or pair of records that was held back
what      | VARCHAR | none   | no | identifier, record, cluster or pair
type      | VARCHAR | none   | no | of an identifier: email, phone, user_id ...; of a cluster: what is wrong with it; of a pair: of what its customers hold different values
namespace | VARCHAR | none   | no | where the value of an identifier is unique
value     | VARCHAR | direct | no | the value; a record_key where what is a record or a cluster, two of a pair
reason    | VARCHAR | none   | no | why it links nobody, or not fully
records   | BIGINT  | none   | no | records that it concerns

id_changes | table | One row per change of a customer id, since the first run
change_seq           | BIGINT!     | none | yes | order of the changes
changed_at           | TIMESTAMPTZ | none | yes | when
change               | VARCHAR!    | none | yes | created, merged or split
customer_id          | VARCHAR!    | none | yes | id that is in use after the change
previous_customer_id | VARCHAR     | none | yes | id before it
generation           | BIGINT      | none | yes | generation of the identity stage
run_id               | VARCHAR     | none | yes | run that made the change
reason               | VARCHAR     | none | yes | why
"""

EVENTS: Final = """
record_events | table | Storage of contact_history: events by integer record number, so that a merge rewrites nothing
record_no     | INTEGER! | none | yes | record of the event (customer_records)
@events

contact_history | view | One row per event of a profile, over all channels
customer_id | VARCHAR! | none   | no | the profile
record_key  | VARCHAR! | direct | no | record that the event belongs to
@events

behaviour | table | One row per event of a profile that somebody did (no bot, no machine), by type and time: what segments ask
event_type     | VARCHAR!      | none | no  | what happened, one of the vocabulary
occurred_at    | TIMESTAMPTZ!  | none | no  | when
customer_no    | INTEGER!      | none | yes | number of the profile in this release (customers)
time_flag      | VARCHAR       | none | no  | missing, unreadable, future, before_1990, ambiguous or NULL; the first four count for no number of days
channel        | VARCHAR!      | none | no  | channel: web, email, phone, sms, social ...
direction      | VARCHAR       | none | no  | direction: inbound, outbound or NULL
source         | VARCHAR!      | none | no  | source
campaign       | VARCHAR       | none | no  | campaign
product        | VARCHAR       | none | no  | product
outcome        | VARCHAR       | none | no  | outcome, as the source says
brand          | VARCHAR       | none | no  | brand
amount         | DECIMAL(18,4) | none | no  | amount, in currency
currency       | VARCHAR       | none | no  | currency of the amount
amount_base    | DECIMAL(18,4) | none | no  | amount in the base currency; NULL where no rate is known

unattributed | table | One row per event without any identifier of a person; events = contact_history + unattributed
@events

all_events | view | Every event: contact_history and unattributed (there customer_id and record_key are NULL)
customer_id | VARCHAR | none   | no | the profile
record_key  | VARCHAR | direct | no | record that the event belongs to
@events

customer_consents | table | One row per profile, purpose and channel on which a word about consent was said
customer_id | VARCHAR!    | none | no | the profile
purpose     | VARCHAR     | none | no | purpose; NULL = every purpose
channel     | VARCHAR     | none | no | channel; NULL = every channel
state       | VARCHAR!    | none | no | granted or denied: the newest word; of two at once, denied
decided_at  | TIMESTAMPTZ | none | yes | when it was said; a denial without a sound time counts from its landing, such a grant before all others (NULL)
source      | VARCHAR!    | none | no | source that heard it
event_type  | VARCHAR!    | none | no | event that said it
"""

SERVING: Final = """
segments | table | One row per version of a segment's rule
segment_id   | VARCHAR!    | none | no  | name of the segment
rule_version | INTEGER!    | none | no  | version of its rule
rule         | VARCHAR!    | direct | no | rule tree, JSON; it may hold the values that it looks for
created_at   | TIMESTAMPTZ | none | yes | when this version was saved
size         | BIGINT      | none | no  | members in this release; NULL of older versions
name         | VARCHAR     | none | no  | name for people
description  | VARCHAR     | none | no  | what it is for
author       | VARCHAR     | none | no  | who saved this version
archived     | BOOLEAN     | none | no  | out of use since this version
problem      | VARCHAR     | none | no  | why the newest version cannot be used; its members then stay as they were

segment_members | table | One row per stay of a profile in a segment
segment_id      | VARCHAR! | none | no  | the segment
rule_version    | INTEGER! | none | no  | version of its rule when it entered
customer_id     | VARCHAR! | none | no  | the member
entered_release | VARCHAR! | none | yes | release in which it entered
exited_release  | VARCHAR  | none | yes | release in which it left; NULL = still a member

segment_sizes | table | One row per segment and release since the segment's first
segment_id   | VARCHAR!     | none | no  | the segment
release      | VARCHAR!     | none | yes | the release
released_at  | TIMESTAMPTZ! | none | yes | when it was built: members are as of this time
rule_version | INTEGER!     | none | no  | version of the rule in that release
size         | BIGINT!      | none | no  | members
entered      | BIGINT!      | none | no  | members that were none in the release before
exited       | BIGINT!      | none | no  | customers that were members in the release before and are none
merged       | BIGINT!      | none | no  | members of the release before that became one with another member; size = size before + entered - exited - merged

quality | table | One row per check and run
source     | VARCHAR     | none | yes | source; NULL = all of them together
check_name | VARCHAR!    | none | yes | name of the check
passed     | BOOLEAN!    | none | yes | whether it passed
observed   | VARCHAR     | none | yes | what was found
expected   | VARCHAR     | none | yes | what was expected
run_id     | VARCHAR     | none | yes | run that checked
checked_at | TIMESTAMPTZ | none | yes | when

cdp_release | table | One row: what this release is
version          | VARCHAR!     | none | yes | name of the release; sorts by time
contract_version | INTEGER!     | none | no  | version of the serving contract; within one, columns are only added
schema_version   | INTEGER!     | none | no  | version of the tables, raised with every added column
created_at       | TIMESTAMPTZ! | none | yes | when it was built
workspace        | VARCHAR      | none | no  | name of the workspace
default_region   | VARCHAR      | none | no  | country of telephone numbers that have no country code
base_currency    | VARCHAR      | none | no  | currency of amount_base

cdp_dictionary | table | This dictionary: one row per table and view (column_name NULL), one per column
table_name  | VARCHAR! | none | no | table or view
kind        | VARCHAR! | none | no | table or view
column_name | VARCHAR  | none | no | column
type        | VARCHAR  | none | no | type
pii         | VARCHAR  | none | no | how personal: direct, quasi or none
volatile    | BOOLEAN  | none | no | may differ between two equal runs
comment     | VARCHAR! | none | no | what it is
"""

SEARCH: Final = """
search_words | table | One row per word by which somebody may be looked for, folded: without case, accents and apostrophes
word_no   | INTEGER! | none   | no | number of the word, in their order
word      | VARCHAR! | direct | no | the word; of a telephone number # and its digits backwards
customers | INTEGER! | none   | no | profiles that have it

search_spellings | table | One row per word that may be looked for with a typo
is_rare | BOOLEAN!  | none   | no | of one profile only, and only part of an e-mail address or handle
length  | UTINYINT! | none   | no | characters
letters | BIGINT!   | direct | no | set of its letters, a bit each
sound   | VARCHAR!  | direct | no | how it sounds, roughly
word_no | INTEGER!  | none   | no | number of the word
word    | VARCHAR!  | direct | no | the word

search_postings | table | One row per word of a profile
word_no     | INTEGER!  | none | no  | the word (search_words)
customer_no | INTEGER!  | none | yes | the profile (search_customers)
fields      | UTINYINT! | none | no  | where it stands, a sum: name 1, email 2, company 4, city 8, postcode 16, handle 32, phone 64

search_customers | table | One row per profile, numbered from the one who was seen last
customer_no | INTEGER! | none | yes | number of the profile in this release
customer_id | VARCHAR! | none | no  | the profile
"""

BLOCKS: Final = (CUSTOMERS.rstrip() + CUSTOMER_MEASURES, IDENTITY, EVENTS, MEASURES, SERVING, SEARCH)
