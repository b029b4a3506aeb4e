"""What HighLevel answers about records: the part of the recorded table that belongs to contacts, objects and opportunities.

Sources beside those of ``recorded.py``: contacts and objects are the vendor's ``apps/contacts.json`` and ``apps/objects.json``;
page is the vendor's page about an endpoint, of which the specs say less.
"""

from __future__ import annotations

from airflow_provider_ghl.sandbox.recording import TRACE, Recorded, refused, success

__all__ = ["RECORDS"]


def _filled(*names: str) -> dict[str, object]:
    """A body whose fields are placeholders of the same name."""
    return {name: f"{{{name}}}" for name in names}


_CONTACT = _filled(
    *("id", "locationId", "email", "phone", "firstName", "lastName", "firstNameLowerCase", "lastNameLowerCase"),
    *("companyName", "businessId", "businessName", "source", "type", "tags", "website", "address1", "city", "state"),
    *("postalCode", "country", "dateOfBirth", "dateAdded", "dateUpdated", "additionalEmails", "additionalPhones"),
    "customFields",
)
_MADE_BY = {"channel": "WEB_USER", "createdAt": "{createdAt}", "source": "PUBLIC_API", "sourceId": "{objectId}"}
_RECORD = _filled("id", "locationId", "objectKey", "objectId", "properties", "relations", "createdAt", "updatedAt") | {
    "owner": [],
    "followers": [],
    "createdBy": _MADE_BY,
    "lastUpdatedBy": _MADE_BY,
}
_OBJECT = _filled(
    *("id", "standard", "key", "labels", "locationId", "primaryDisplayProperty", "type", "dateAdded", "dateUpdated")
)
_OBJECT_FIELD = _filled(
    *("id", "name", "locationId", "objectKey", "parentId", "fieldKey", "dataType", "options", "dateAdded", "dateUpdated")
) | {"showInForms": False}
_BUSINESS = _filled(
    *("id", "locationId", "name", "phone", "email", "website", "address", "city", "state", "postalCode", "country"),
    *("description", "createdAt", "updatedAt"),
)
_OPPORTUNITY = _filled(
    *("id", "locationId", "name", "contactId", "pipelineId", "pipelineStageId", "status", "source", "assignedTo"),
    *("monetaryValue", "relations", "custom_fields", "createdAt", "updatedAt", "sort"),
)
_RELATION = _filled("associationId", "relationId", "objectKey", "recordId")
_CUSTOM_FIELD = _filled("id", "name", "model", "fieldKey", "dataType", "picklistOptions", "locationId")

_CONTACTS = (
    success("contact", 200, _CONTACT, "specified", "contacts; the items of additionalEmails and additionalPhones: inferred"),
    success("contact_found", 200, _CONTACT | {"searchAfter": "{searchAfter}"}, "specified", "page of POST /contacts/search"),
    success(
        "contacts_found",
        200,
        {"contacts": "{contacts}", "total": "{total}"} | TRACE,
        "specified",
        "page of POST /contacts/search. That the oldest contact is first without sort, that the case of an e-mail does not "
        "count, and that total counts all pages: inferred. Secondary e-mails come and are not found: #289",
    ),
    success("contact_read", 200, {"contact": "{contact}"} | TRACE, "specified", "contacts: GET by id"),
    success(
        "duplicate_contact",
        200,
        {"contact": "{contact}"} | TRACE,
        "observed",
        "client code: null where there is none. That it knows no lag, and gives the oldest of several: inferred",
    ),
    success("custom_field", 200, _CUSTOM_FIELD, "specified", "page of GET /locations/{id}/customFields: an item"),
    success("custom_fields", 200, {"customFields": "{customFields}"} | TRACE, "specified", "page of the same endpoint"),
)

_OBJECTS = (
    success("object", 200, _OBJECT, "specified", "objects: ICustomObjectSchema"),
    success("object_field", 200, _OBJECT_FIELD, "specified", "objects: ICustomField"),
    success("objects", 200, {"objects": "{objects}"} | TRACE, "specified", "objects: GET; standard objects first: inferred"),
    success("object_read", 200, {"object": "{object}", "cache": False} | TRACE, "specified", "objects: GET by key"),
    success(
        "object_read_with_fields",
        200,
        {"object": "{object}", "cache": False, "fields": "{fields}"} | TRACE,
        "specified",
        "objects: GET by key with fetchProperties=true",
    ),
    success("record", 200, _RECORD | {"sort": "{cursor}"}, "observed", "client code; the spec says searchAfter for sort"),
    success("record_otherwise", 200, _RECORD | {"searchAfter": "{cursor}"}, "specified", "objects: RecordResponseDTO"),
    success("relation_of_record", 200, _RELATION, "inferred", "the relations of a record: their form, and that all are there"),
    success(
        "records_found",
        201,
        {"records": "{records}", "total": "{total}"} | TRACE,
        "observed",
        "client code; status 201 or 200, sources contradict each other. That options match by key, and a label finds nothing: "
        "page. That a number in quotes finds nothing: inferred",
    ),
    success(
        "records_found_otherwise",
        201,
        {"customObjectRecords": "{records}", "total": "{total}"} | TRACE,
        "observed",
        "other client code: the list has another name",
    ),
    success("business", 200, _BUSINESS, "inferred", "after the fields that creating a company takes"),
    success("businesses", 200, {"businesses": "{businesses}"} | TRACE, "specified", "page of GET /businesses/"),
    success(
        "opportunity",
        200,
        _OPPORTUNITY,
        "specified",
        "page of POST /opportunities/search; the cursor under sort: inferred, after records",
    ),
    success(
        "opportunities_found",
        200,
        {"opportunities": "{opportunities}", "total": "{total}"} | TRACE,
        "specified",
        "page of POST /opportunities/search. Whether its first page is 0 or 1: sources contradict each other",
    ),
)

_REFUSALS = (
    refused("field_not_filterable", 400, "Invalid field: {field}", "RequestRejected", "observed", "#289; the text: invented"),
    refused(
        "group_too_large",
        400,
        "Too many filters: at most {limit} in an OR group",
        "RequestRejected",
        "inferred",
        "groups of 100 are in use; that there is a largest one, and the text, are invented",
    ),
    refused(
        "page_too_far",
        400,
        "Pages end at 10000 records: use searchAfter",
        "RequestRejected",
        "inferred",
        "pages of the searches: that they end there is specified, how it is answered is unknown",
    ),
    refused("object_not_found", 400, "Object {objectKey} not found", "NotFound", "inferred", "real answer unknown"),
    refused(
        "object_not_searchable",
        400,
        "Object {objectKey} is not supported",
        "RequestRejected",
        "inferred",
        "objects: searches are for custom objects and business; the answer to others is unknown",
    ),
)

#: What is answered 422 besides is ``invalid_fields`` of ``recorded.py``: a missing ``pageLimit`` or ``locationId``, a field
#: without ``properties.``, an opportunity's field in camel case (observed), a value of more than 75 characters (specified).
RECORDS: tuple[Recorded, ...] = _CONTACTS + _OBJECTS + _REFUSALS
