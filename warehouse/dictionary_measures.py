# ruff: noqa: E501 - a line per column, whatever its length
"""The blocks of :mod:`warehouse.dictionary` for the measures; docs/explanation/measures.md defines them."""

from __future__ import annotations

from typing import Final

CUSTOMER_MEASURES: Final = """
rfm_recency     | TINYINT       | none | no | quintile of the newest purchase among all buyers, 5 = the newest; NULL = never bought
rfm_frequency   | TINYINT       | none | no | quintile of the number of purchases, 5 = the most
rfm_monetary    | TINYINT       | none | no | quintile of the money among buyers in the same currency, 5 = the most; NULL = without a sum
rfm_segment     | VARCHAR       | none | no | champions, loyal, potential_loyalists, new, promising, need_attention, about_to_sleep, at_risk, cannot_lose, hibernating or lost; NULL = never bought
lifecycle_stage | VARCHAR       | none | no | lead, customer, lapsing, lapsed or won_back, as of the start of the release's day; NULL = anonymous and never bought
lifecycle_since | TIMESTAMPTZ   | none | no | when the stage was entered
cost_to_serve   | DECIMAL(38,4) | none | no | cost of all contacts, orders and refunds by `costs` in cdp.yaml, in the base currency; NULL = no costs are configured
gross_margin    | DECIMAL(38,4) | none | no | `costs.margin` of net_revenue; NULL = not configured, or in another currency
profit          | DECIMAL(38,4) | none | no | gross_margin less cost_to_serve
profit_decile   | TINYINT       | none | no | tenth of the customers by profit, 1 = the most profitable; NULL = no profit is known, or neither margin nor cost
"""

MEASURES: Final = """
rfm_cells | table | One row per combination of RFM quintiles and currency
rfm_recency   | TINYINT!      | none | no | quintile of the newest purchase, 5 = the newest
rfm_frequency | TINYINT!      | none | no | quintile of the number of purchases
rfm_monetary  | TINYINT       | none | no | quintile of the money; NULL = without a sum
rfm_segment   | VARCHAR!      | none | no | named segment of the cell
currency      | VARCHAR       | none | no | currency of the sums
customers     | BIGINT!       | none | no | profiles
net_revenue   | DECIMAL(38,4) | none | no | revenue less refunds
donated       | DECIMAL(38,4) | none | no | donations less those paid back
profit        | DECIMAL(38,4) | none | no | profit, in the base currency

lifecycle_changes | table | One row per stage that a profile ever entered
customer_id    | VARCHAR!    | none | no | the profile
entered_at     | TIMESTAMPTZ | none | no | when; NULL = a lead of whom no event has a sound time
stage          | VARCHAR!    | none | no | lead, customer, lapsing, lapsed or won_back
previous_stage | VARCHAR     | none | no | stage before it; NULL = the first
left_at        | TIMESTAMPTZ | none | no | when the next stage was entered; NULL = still in it

lifecycle_months | table | One row per month and stage since the first entry
month    | DATE!    | none | no | first day of the month (UTC)
stage    | VARCHAR! | none | no | the stage
entered  | BIGINT!  | none | no | entries in the month
exited   | BIGINT!  | none | no | exits in the month
standing | BIGINT!  | none | no | profiles in the stage at the end of the month

customer_channels | table | One row per profile and channel on which it or we made contact
customer_id      | VARCHAR!    | none | no | the profile
channel          | VARCHAR!    | none | no | the channel
contacts_in      | BIGINT!     | none | no | messages, calls, visits of the person
contacts_out     | BIGINT!     | none | no | our touches: messages, calls, letters
responses        | BIGINT!     | none | no | touches that the person answered in time, by a reply, click or call; opening is no answer
response_rate    | DOUBLE      | none | no | responses / contacts_out; NULL = we made none
median_response_seconds | DOUBLE | none | no | median time from touch to answer
waits            | BIGINT!     | none | no | times that the person waited for our reply
replies          | BIGINT!     | none | no | of these, answered in time
median_reply_seconds | DOUBLE  | none | no | median time from the first message of a wait to our reply
first_contact_at | TIMESTAMPTZ | none | no | first contact in or out
last_contact_at  | TIMESTAMPTZ | none | no | newest contact in or out

channel_responses | table | One row per channel, and one per channel and month
channel          | VARCHAR! | none | no | the channel
month            | DATE     | none | no | month of the touch or message (UTC); NULL = all months together
contacts_in      | BIGINT!  | none | no | messages, calls, visits of people
contacts_out     | BIGINT!  | none | no | our touches
responses        | BIGINT!  | none | no | touches that were answered in time
response_rate    | DOUBLE   | none | no | responses / contacts_out
median_response_seconds | DOUBLE | none | no | median time from touch to answer
p90_response_seconds    | DOUBLE | none | no | nine of ten answers came within this time
waits            | BIGINT!  | none | no | times that people waited for our reply
replies          | BIGINT!  | none | no | of these, answered in time
reply_rate       | DOUBLE   | none | no | replies / waits
median_reply_seconds    | DOUBLE | none | no | median time to our reply
p90_reply_seconds       | DOUBLE | none | no | nine of ten replies went out within this time

campaigns | table | One row per campaign and channel
campaign      | VARCHAR!      | none | no | name or id of the campaign
channel       | VARCHAR!      | none | no | the channel
sends         | BIGINT!       | none | no | messages that went out (or were to)
delivered     | BIGINT!       | none | no | messages reported as delivered
opens         | BIGINT!       | none | no | messages that a person opened
machine_opens | BIGINT!       | none | no | messages that only a machine opened or clicked
clicks        | BIGINT!       | none | no | messages in which a person clicked
responses     | BIGINT!       | none | no | messages that were answered in time: a click, a reply
bounces       | BIGINT!       | none | no | messages that could not be delivered
unsubscribes  | BIGINT!       | none | no | messages that led to an unsubscription
complaints    | BIGINT!       | none | no | messages that were reported as spam
people        | BIGINT!       | none | no | profiles to which something was sent
visitors      | BIGINT!       | none | no | profiles that came by it: a click, a page with its name
orders        | BIGINT!       | none | no | orders and donations credited to it by last touch: the person's newest act that names a campaign, within the window
revenue       | DECIMAL(38,4) | none | no | their sum, in currency; NULL = none, or in several currencies
orders_after_send  | BIGINT!       | none | no | orders and donations within the window after a message of it (one may follow several campaigns)
revenue_after_send | DECIMAL(38,4) | none | no | their sum, in currency
currency      | VARCHAR       | none | no | the base currency (what has no rate is not in the sums); without one, the only currency there is
unconverted_orders | BIGINT       | none | no | credited orders that are not in revenue, because their currency has no rate
first_sent_at | TIMESTAMPTZ   | none | no | first message
last_sent_at  | TIMESTAMPTZ   | none | no | newest message

tickets | table | One row per profile and support ticket, and per call or chat that went to a higher level
customer_id   | VARCHAR!    | none  | no | the profile
source        | VARCHAR!    | none  | no | source of the ticket
ticket        | VARCHAR!    | none  | no | its reference, or the id of its event
reference     | VARCHAR     | none  | no | its reference
subject       | VARCHAR     | quasi | no | newest subject
product       | VARCHAR     | none  | no | newest product
department    | VARCHAR     | none  | no | newest team or queue
is_ticket     | BOOLEAN!    | none  | no | false: a call or chat
state         | VARCHAR     | none  | no | open or closed (solved counts as closed); NULL = no ticket
opened_at     | TIMESTAMPTZ | none  | no | when it was opened
last_at       | TIMESTAMPTZ | none  | no | its newest event
solved_at     | TIMESTAMPTZ | none  | no | when it was solved or closed, where it still is
escalated     | BOOLEAN!    | none  | no | went to a higher level
escalation_level | INTEGER  | none  | no | highest level; 0 = not escalated
event_count   | BIGINT!     | none  | no | its events

product_escalations | table | One row per product, and one per product and department: support tickets, calls and chats of the table tickets
product         | VARCHAR  | none | no | product; NULL = the ticket names none
department      | VARCHAR  | none | no | team or queue; NULL = the ticket names none, or all of them together
all_departments | BOOLEAN! | none | no | all departments together
tickets         | BIGINT!  | none | no | tickets
escalated       | BIGINT!  | none | no | tickets that went to a higher level
escalated_share | DOUBLE!  | none | no | escalated / tickets
open_tickets    | BIGINT!  | none | no | tickets that are open
solved          | BIGINT!  | none | no | tickets that are solved
median_solve_seconds | DOUBLE | none | no | median time from opening to solution
p90_solve_seconds    | DOUBLE | none | no | nine of ten were solved within this time
level_1         | BIGINT!  | none | no | tickets whose highest level is 1
level_2         | BIGINT!  | none | no | tickets whose highest level is 2
level_3_and_above | BIGINT! | none | no | tickets whose highest level is 3 or more

profitability | table | One row per profit decile, per RFM segment, per lifecycle stage, and one of all: profiles whose profit is known
dimension     | VARCHAR!      | none | no | profit_decile, rfm_segment, lifecycle_stage or all
bucket        | VARCHAR       | none | no | the decile (1 = the most profitable), segment or stage; NULL = of none
customers     | BIGINT!       | none | no | profiles
orders        | BIGINT!       | none | no | orders placed
net_revenue   | DECIMAL(38,4) | none | no | revenue less refunds, in the base currency
gross_margin  | DECIMAL(38,4) | none | no | what the goods leave
cost_to_serve | DECIMAL(38,4) | none | no | what serving cost
profit        | DECIMAL(38,4) | none | no | gross_margin less cost_to_serve
at_a_loss     | BIGINT!       | none | no | profiles whose profit is below nothing
"""
