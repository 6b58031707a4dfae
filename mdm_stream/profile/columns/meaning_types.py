"""The attribute type that each meaning of a column has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TYPE_OF_MEANING: Mapping[str, str] = MappingProxyType({
    "given_name": "name", "middle_name": "name", "family_name": "name", "second_family_name": "name",
    "full_name": "full_name", "other_name": "full_name", "other_given_name": "name", "other_family_name": "name",
    "birth_date": "date", "gender": "category", "birth_place": "city", "nationality": "category",
    "national_id": "identifier", "passport_no": "identifier", "passport_country": "country",
    "licence_no": "identifier", "licence_issuer": "region", "generation": "generation",
    "tax_id": "identifier", "registration_no": "identifier", "duns": "identifier", "organisation": "organisation",
    "trading_name": "organisation",
    "legal_form": "legal_form", "industry": "category", "email": "email", "phone": "phone", "fax": "phone",
    "url": "url",
    "street": "address", "city": "city", "region": "region", "postcode": "postcode", "country": "country",
    "title": "text",
    "creator": "text", "brand": "text", "model_no": "identifier", "gtin": "identifier", "price": "number",
    "description": "text",
    "year": "number", "category": "category", "created_at": "date", "date": "date", "iban": "identifier",
    "number": "number",
    "code": "identifier", "unit": "text", "street_number": "text", "care_of": "text", "name_prefix": "category",
    "name_suffix": "category", "other": "text", "key": "identifier",
})  # fmt: skip
"""Meaning -> the name of a standardiser; meanings that make no attribute are absent."""
