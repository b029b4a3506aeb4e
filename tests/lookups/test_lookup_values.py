"""Look-ups as values, and what an impossible one says."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Opportunity


@pytest.mark.parametrize(
    ("lookup", "object_key"),
    [
        (Contact(by="email"), "contact"),
        (Contact(by="phone"), "contact"),
        (Contact("id"), "contact"),
        (Contact(by="custom_field:tier"), "contact"),
        (Contact(by="custom_field:contact.tier"), "contact"),
        (CustomObject("custom_objects.policy", by="policy_no"), "custom_objects.policy"),
        (CustomObject("custom_objects.policy", by="id"), "custom_objects.policy"),
        (Business(by="name"), "business"),
        (Business(by="website"), "business"),
        (Opportunity(by="custom_field:deal_no"), "opportunity"),
        (Opportunity(by="name"), "opportunity"),
    ],
)
def test_each_knows_its_object(lookup: Any, object_key: str) -> None:
    assert lookup.object_key == object_key
    assert pickle.loads(pickle.dumps(lookup)) == lookup
    assert len({lookup, lookup}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        lookup.by = "id"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Contact(by="e-mail"), "by='email', by='phone', by='id', by='custom_field:<key>', not 'e-mail'"),
        (lambda: Contact(by="tier"), "a custom field is by='custom_field:tier'"),
        (lambda: Contact(by="custom_field:"), "by='custom_field:<key>', not 'custom_field:'"),
        (lambda: Contact(by=None), "not None"),  # type: ignore[arg-type]
        (lambda: Contact(by=["email"]), "not ['email']"),  # type: ignore[arg-type]
        (lambda: Opportunity(by="email"), "by='name', by='id'"),
        (lambda: CustomObject("policy", by="policy_no"), "such as 'custom_objects.policy', not 'policy'"),
        (lambda: CustomObject("custom_object.car", by="plate"), "such as 'custom_objects.car', not 'custom_object.car'"),
        (lambda: CustomObject("contact", by="email"), "'contact' is no custom object: use Contact(by=…)"),
        (lambda: CustomObject("business", by="name"), "use Business(by=…)"),
        (lambda: CustomObject(None, by="name"), "not None"),  # type: ignore[arg-type]
        (lambda: CustomObject("custom_objects.policy", by="properties.policy_no"), "such as by='policy_no'"),
        (lambda: CustomObject("custom_objects.policy", by="custom_field:policy_no"), "such as by='policy_no'"),
        (lambda: CustomObject("custom_objects.policy", by="policy no"), "such as by='name', not 'policy no'"),
        (lambda: Business(by=""), "such as by='name', not ''"),
    ],
)
def test_an_impossible_one_says_what_would_be_right(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        make()
    assert said in str(error.value)
