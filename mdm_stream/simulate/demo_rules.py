"""The rule set of the three sources, the same text as ``examples/rules/demo.yaml``."""

from __future__ import annotations

DEMO_RULES = """\
# The three systems of the demo and of `mdm-stream generate`: a CRM, an ERP and a web API.
# How persons are matched, and which value survives, comes from the pack; what is here maps columns to its attributes.
extends: person
version: 1

attributes:
  # The ERP and the web form write the day before the month.
  birth_date: {type: date, options: {day_first: true}, sensitive: true}

sources:
  crm:
    format: debezium
    table: public.customer
    key: [id]
    trust: 0.9
    attributes:
      given_name: first_name
      middle_name: middle_name
      family_name: last_name
      birth_date: dob
      email: email
      phone: phone
      street: address
      city: city
      region: state
      postcode: zip

  erp:
    format: dms
    table: sales.client
    key: [client_no]
    trust: 0.7
    attributes:
      given_name: name2
      middle_name: name3
      family_name: name1
      birth_date: birth_dt
      email: mail
      phone: tel
      street: [house_no, street, unit]
      city: town
      region: region
      postcode: post_code
      country: country

  # The web API sends canonical events whose attributes already bear the pack's names.
  web:
    format: canonical
    version_kind: integer
    trust: 0.5
"""
