"""What HighLevel's OpenAPI documents say of contacts and objects; as much of it as tests ask.

Copied from https://github.com/GoHighLevel/highlevel-api-docs (CC0), commit 0af86a4 of June 2026: ``contacts.json`` for the API
versions ``2021-07-28`` and ``v3``, which say the same of these endpoints, and ``objects.json``. The body and the answer of
``POST /contacts/search`` are empty there.
"""

from __future__ import annotations

from specified import NUMBER, Endpoint, Schema

__all__ = ["CONTACT", "DATA_TYPES", "ENDPOINTS", "OBJECTS", "OBJECT_READ", "RECORDS_FOUND", "SEARCH_RECORDS"]

ENDPOINTS = {
    ("POST", "/contacts/search"): Endpoint("contacts.readonly", names_location=False),
    ("GET", "/contacts/search/duplicate"): Endpoint("contacts.readonly", names_location=True),
    ("GET", "/contacts/{contactId}"): Endpoint("contacts.readonly", names_location=False),
    ("GET", "/objects/"): Endpoint("objects/schema.readonly", names_location=True),
    ("GET", "/objects/{key}"): Endpoint("objects/schema.readonly", names_location=True),
    ("POST", "/objects/{schemaKey}/records/search"): Endpoint("objects/record.readonly", names_location=False),
}
CONTACT = Schema(
    {
        "contact": Schema(
            {
                **dict.fromkeys(("id", "locationId", "firstName", "lastName", "email", "companyName", "phone"), str),
                **dict.fromkeys(("type", "source", "address1", "city", "state", "country", "postalCode", "website"), str),
                **dict.fromkeys(("dateOfBirth", "dateAdded", "dateUpdated", "businessId"), str),
                **dict.fromkeys(("firstNameLowerCase", "lastNameLowerCase"), str),
                "tags": [str],
                "customFields": [Schema({"id": str, "value": str})],
            }
        )
    }
)
_OBJECT = Schema(
    {
        **dict.fromkeys(("id", "key", "locationId", "primaryDisplayProperty", "dateAdded", "dateUpdated"), str),
        "standard": bool,
        "labels": Schema({"singular": str, "plural": str}, required=("singular", "plural")),
    },
    required=("id", "standard", "key", "labels", "locationId", "primaryDisplayProperty", "dateAdded", "dateUpdated"),
)
_FIELD = Schema(
    {
        **dict.fromkeys(("locationId", "name", "id", "objectKey", "dataType", "parentId", "fieldKey"), str),
        **dict.fromkeys(("dateAdded", "dateUpdated"), str),
        "showInForms": bool,
        "options": [Schema({"key": str, "label": str, "url": str}, required=("key", "label"))],
    },
    required=("locationId", "showInForms", "id", "objectKey", "dataType", "parentId", "fieldKey", "dateAdded", "dateUpdated"),
)
OBJECT_READ = Schema({"object": _OBJECT, "cache": bool, "fields": [_FIELD]}, required=("cache",))
OBJECTS = Schema({"objects": [_OBJECT]})
DATA_TYPES = {
    *("TEXT", "LARGE_TEXT", "NUMERICAL", "PHONE", "MONETORY", "CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "DATE"),
    *("TEXTBOX_LIST", "FILE_UPLOAD", "RADIO"),
}
#: The required fields of a search among records. ``filters`` and ``sort`` are on the vendor's page only.
SEARCH_RECORDS = {"locationId", "page", "pageLimit", "query", "searchAfter"}
_MADE_BY = Schema(dict.fromkeys(("channel", "createdAt", "source", "sourceId"), str), required=("channel", "createdAt"))
#: ``properties`` are text by the schema and an object by its example; ``searchAfter`` are numbers, and a number and an id.
RECORDS_FOUND = Schema(
    {
        "records": [
            Schema(
                {
                    **dict.fromkeys(("id", "createdAt", "updatedAt", "locationId", "objectId", "objectKey"), str),
                    "owner": [str],
                    "followers": [str],
                    "properties": dict,
                    "createdBy": _MADE_BY,
                    "lastUpdatedBy": _MADE_BY,
                    "searchAfter": [(*NUMBER, str)],
                },
                required=(
                    *("id", "owner", "followers", "properties", "createdAt", "updatedAt", "locationId", "objectId"),
                    *("objectKey", "createdBy", "lastUpdatedBy", "searchAfter"),
                ),
            )
        ],
        "total": NUMBER,
    },
    required=("total",),
)
