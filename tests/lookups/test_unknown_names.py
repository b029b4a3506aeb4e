"""Objects, fields and arguments that are not there end a look-up before anything else."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_records import LOCATION, POLICY, HighLevel, world

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    NotFound,
    RequestRejected,
    ServerError,
    Stopped,
)
from airflow_provider_ghl.lookups import Contact, CustomObject, Opportunity
from airflow_provider_ghl.lookups.resolve import resolve

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("lookup", "said"),
        [
            (
                CustomObject("custom_objects.polcy", by="id_no"),
                "no object 'custom_objects.polcy': did you mean 'custom_objects.policy'",
            ),
            (CustomObject(POLICY, by="policyno"), "with the key 'policyno': did you mean 'policy_no'?"),
            (CustomObject(POLICY, by="zzz"), "with the key 'zzz'; there are: amount, begins, papers, policy_no, tier"),
            (CustomObject(POLICY, by="papers"), "is of type FILE_UPLOAD: no record can be looked up by it"),
            (Contact(by="custom_field:Member_No"), "with the key 'Member_No': did you mean 'member_no'?"),
            (
                Opportunity(by="custom_field:deal"),
                "no custom field of opportunities with the key 'deal': did you mean 'deal_no'?",
            ),
        ],
    )
    def test_end_it_before_anything_else(self, lookup: Any, said: str) -> None:
        ghl = world()
        with pytest.raises(ConfigurationError) as error:
            ghl.resolve(lookup, ["A-1"])
        assert said in str(error.value)
        assert ghl.searches() == []

    @pytest.mark.parametrize(
        ("schema", "objects", "raised"),
        [
            (NotFound("no", status=404), ServerError("down", status=500), ConfigurationError),
            (NotFound("no", status=404), NotFound("no", status=404), ConfigurationError),
            (NotFound("no", status=404), {"objects": []}, ConfigurationError),
            (RequestRejected("bad key", status=400), {"objects": [{"key": "custom_objects.car"}]}, ConfigurationError),
            (RequestRejected("odd", status=400), {"objects": [{"key": POLICY}]}, RequestRejected),
            (RequestRejected("odd", status=400), ServerError("down", status=500), RequestRejected),
            (NotFound("no", status=404), Stopped("told to stop"), Stopped),
            (ServerError("down", status=500), {"objects": []}, ServerError),
        ],
    )
    def test_a_schema_that_is_refused(self, schema: GHLError, objects: Any, raised: type[GHLError]) -> None:
        def answer(call: Call) -> Answer:
            said = objects if call.template == "/objects/" else schema
            if isinstance(said, GHLError):
                raise said
            return Answer(200, said)

        with pytest.raises(GHLError) as error:
            converse(resolve(BY_NUMBER, ["A-1"], LOCATION), answer, _never)
        assert type(error.value) is raised

    def test_where_there_is_none(self) -> None:
        with pytest.raises(ConfigurationError, match="there is none at all"):
            HighLevel().resolve(Contact(by="custom_field:tier"), ["x"])

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("contact", ["x"]), "a look-up is Contact, CustomObject, Business or Opportunity, not a str"),
            ((BY_EMAIL, "a@example.org"), "keys must be a list of keys, not a str"),
            ((BY_EMAIL, None), "keys must be a list of keys, not a NoneType"),
        ],
    )
    def test_other_arguments(self, arguments: Any, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            HighLevel().resolve(*arguments)
        with pytest.raises(ConfigurationError, match="lookup_by must be one of cheaper, search, page, not 'guess'"):
            HighLevel().resolve(BY_EMAIL, [], lookup_by="guess")


def _never(seconds: float) -> None:
    raise AssertionError("nothing is to be waited for")
