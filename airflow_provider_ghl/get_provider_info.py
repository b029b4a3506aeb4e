"""What Airflow is told of this package. Data only: Airflow reads it at every start, in every process."""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]

_CONNECTION_FIELDS: dict[str, Any] = {
    "location_id": {
        "label": "Location ID",
        "description": "The sub-account: Settings > Business Profile, or the text after /location/ in its URL",
        "schema": {"type": ["string", "null"]},
    },
    "client_id": {
        "label": "OAuth client ID",
        "description": "Of your Marketplace app, where one is used instead of a Private Integration",
        "schema": {"type": ["string", "null"]},
    },
    "client_secret": {
        "label": "OAuth client secret",
        "description": "Of the same app",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "refresh_token": {
        "label": "OAuth refresh token",
        "description": "Empty after `airflow ghl login`, which stores the tokens itself; one pasted here comes before those",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "company_id": {
        "label": "Agency (company) ID",
        "description": "Where the tokens are an agency's: each sub-account's own token is then made as it is needed",
        "schema": {"type": ["string", "null"]},
    },
    # "version-3" and not "v3": Airflow logs a masking warning for extras of fewer than five characters at every task.
    "api_version": {
        "label": "API version",
        "description": "The Version header; associations and relations are the same under both",
        "schema": {"type": "string", "enum": ["2021-07-28", "version-3"], "default": "2021-07-28"},
    },
    "quota_share": {
        "label": "Share of the burst limit",
        "description": "Part of the location's requests per 10 seconds that this connection may use, above 0 up to 1",
        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "default": 1},
    },
    "daily_reserve": {
        "label": "Daily reserve",
        "description": "Requests of the location's day that this connection leaves to others",
        "schema": {"type": ["integer", "null"], "minimum": 0, "default": 0},
    },
    "ledger_conn_id": {
        "label": "Ledger connection",
        "description": "Airflow connection of the ledger's database; empty: [ghl] ledger_conn_id, else a file in AIRFLOW_HOME",
        "schema": {"type": ["string", "null"]},
    },
    "phone_region": {
        "label": "Phone region",
        "description": "The country of phone numbers without a country code, such as US; empty: such numbers are no keys",
        "schema": {"type": ["string", "null"]},
    },
    "app_url": {
        "label": "App address",
        "description": "Where your people open HighLevel, if not at https://app.gohighlevel.com; for links from Airflow",
        "schema": {"type": ["string", "null"]},
    },
}

_CONFIG: dict[str, Any] = {
    "ghl": {
        "description": "Loads into HighLevel.",
        "options": {
            "ledger_conn_id": {
                "description": "Airflow connection of the ledger (PostgreSQL or SQLite) for all connections that name none of "
                "their own. Without it the ledger is an SQLite file in AIRFLOW_HOME, which other machines cannot see.",
                "version_added": None,
                "type": "string",
                "example": "ghl_ledger",
                "default": None,
            },
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the shape of Airflow's ``provider.yaml.schema.json``."""
    return {
        "package-name": "airflow-provider-ghl",
        "name": "HighLevel",
        "description": "Relations between records of HighLevel (GoHighLevel) from tables of pairs.",
        "integrations": [
            {
                "integration-name": "HighLevel",
                "external-doc-url": "https://marketplace.gohighlevel.com/docs/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "HighLevel", "python-modules": ["airflow_provider_ghl.hooks.ghl"]}],
        "operators": [
            {
                "integration-name": "HighLevel",
                "python-modules": [
                    "airflow_provider_ghl.operators.associations",
                    "airflow_provider_ghl.operators.locations",
                    "airflow_provider_ghl.operators.relations",
                ],
            }
        ],
        "config": _CONFIG,
        "extra-links": [
            "airflow_provider_ghl.operators.links.GHLLoadLink",
            "airflow_provider_ghl.operators.links.GHLLocationLink",
            "airflow_provider_ghl.operators.links.GHLFirstContactLink",
            "airflow_provider_ghl.operators.links.GHLSecondContactLink",
        ],
        "asset-uris": [
            {
                "schemes": ["ghl"],
                "handler": "airflow_provider_ghl.assets.sanitize_uri",
                "factory": "airflow_provider_ghl.assets.create_asset",
                "to_openlineage_converter": "airflow_provider_ghl.assets.convert_asset_to_openlineage",
            }
        ],
        "cli": ["airflow_provider_ghl.cli.airflow_commands"],
        "connection-types": [
            {
                "connection-type": "ghl",
                "hook-class-name": "airflow_provider_ghl.hooks.ghl.GHLHook",
                "hook-name": "HighLevel",
                # Not hidden: for a connection without a port Airflow 3.3's Test button sends 0, takes that for another host and
                # answers "Bad Request".
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {
                        "host": "Base URL",
                        "port": "Port (the Test button needs it)",
                        "password": "Private Integration Token",
                    },
                    "placeholders": {"host": "https://services.leadconnectorhq.com", "port": "443", "password": "pit-…"},
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
    }
