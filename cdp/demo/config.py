"""The demo's ``cdp.yaml``."""

from __future__ import annotations

from typing import Final

from cdp.demo import calls, orders
from cdp.demo.text import DOMAIN, INSTAGRAM, MASTODON, PHONE, TWILIO, WHATSAPP

_YAML: Final = """\
# Harbour & Pine, a shop that is made up: eleven sources in the formats that real tools write.
version: 1
workspace: {{name: shop, timezone: Europe/London, region: GB, currency: GBP}}

# Our own numbers, domains and handles: they set the direction of a contact and are no customers.
own:
  phones: ["{phone}", "{twilio}", "+{whatsapp}"]
  domains: [{domain}]
  handles: ["{instagram}", "shop", "{mastodon}"]

sources:
  web:
    connector: segment
    path: "inbox/web/*"
    write_key_env: CDP_WEB_KEY      # `CDP_WEB_KEY=... cdp collect` takes events over HTTP, too
  sendgrid:
    connector: sendgrid
    path: "inbox/sendgrid/*.json"
  mail:
    connector: mail
    path: "inbox/mail/*"
  twilio:
    connector: twilio
    path: "inbox/twilio/*.json"
  calls:
    connector: asterisk
    path: "inbox/calls/*.csv"
    timezone: {calls_zone}          # the exchange writes the time of its clock, without a zone
    trust: 40
  whatsapp:
    connector: whatsapp
    path: "inbox/whatsapp/*.ndjson"
  instagram:
    connector: instagram
    path: "inbox/instagram/*.ndjson"
  mastodon:
    connector: mastodon
    path: "inbox/mastodon/*.ndjson"
  contacts:
    connector: files
    path: "inbox/contacts/*.csv"
    event:
      type: contact_updated
      id: contact_id
      time: updated_at
      consent_purpose: {{value: marketing}}
      consent_channel: {{value: email}}
      consent_state: consent_email
    identifiers:
      external_id: {{column: contact_id, namespace: crm}}
      email: email
      phone: phone
      handle:
        - {{column: instagram_id, namespace: instagram}}
        - {{column: mastodon, namespace: mastodon}}
    traits:
      given_name: first_name
      surname: last_name
      birth_date: birth_date
      street: street
      city: city
      postcode: postcode
      country: country
      company: company
    properties: [lead_source, consent_sms]
    on_revision: latest             # later exports revise earlier ones
    trust: 80
  orders:
    connector: files
    path: "inbox/orders/*.csv"
    timezone: {orders_zone}
    event:
      type: {{column: order_no, prefixes: {{R: order_refunded}}, default: order_placed}}
      id: order_no
      group_by: order_no            # the lines of an order are one event
      time: order_time
      amount: "quantity * unit_price"
      currency: currency
      product: description
    identifiers:
      external_id: {{column: customer_no, namespace: crm}}
      email: email
  tickets:
    connector: files
    path: "inbox/tickets/*.jsonl"
    event:
      type:
        column: event
        values: {{opened: ticket_opened, escalated: ticket_escalated, solved: ticket_solved}}
      id: event_id
      time: at
      reference: id
      agent: agent.name
      department: team
      escalation_level: level
      product: product
      subject: subject
    identifiers: {{email: requester.email, phone: requester.phone}}
    traits: {{full_name: requester.name}}
    properties: [priority, channel]

identity:
  limits: {{phone: {{max: 8, window: 365d}}, email: {{max: 8, window: 365d}}}}
  unique: [user_id]
  threshold: auto

survivorship:
  default: most_recent
  groups: {{address: [street, city, postcode]}}

exports:
  customers: {{dataset: customers, format: parquet, purpose: internal}}
  ads: {{dataset: customers, format: csv, purpose: marketing, min_probability: 0.95}}

# A second copy without personal data: for BI tools, and for SQL with a key that may not see them.
release: {{keep: 2, masked: true}}

# The orders here span six weeks: who has not bought for two of them is lapsing, for five has lapsed.
lifecycle: {{lapsing: 14d, lapsed: 35d}}

# What serving a customer costs, in pounds, and what the goods leave: cost_to_serve and profit follow.
costs:
  contact: {{email: 0.80, sms: 0.60, social: 0.90, phone: 1.50, support: 3.20}}
  event: {{email_sent: 0.002, sms_sent: 0.045, message_sent: 0.06, ticket_escalated: 9.50}}
  call_minute: 0.55
  order: 4.20
  refund: 6.00
  margin: 42%
"""


def config_yaml() -> str:
    """Return the text of ``cdp.yaml`` for the generated files."""
    return _YAML.format(
        phone=PHONE,
        twilio=TWILIO,
        whatsapp=WHATSAPP,
        domain=DOMAIN,
        instagram=INSTAGRAM,
        mastodon=MASTODON,
        calls_zone=calls.ZONE,
        orders_zone=orders.ZONE,
    )
