"""``login``: a person authorises the connection's OAuth app, and Airflow stores its tokens."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.consent import authorize_url
from airflow_provider_ghl.commands.output import Out, escape, facts, iso, moment
from airflow_provider_ghl.commands.running import WrongUsage
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.access import Manner, make_oauth, make_refreshed_token, read_app
from airflow_provider_ghl.hooks.settings import Settings, get_connection
from airflow_provider_ghl.hooks.token_variable import AirflowTokens

if TYPE_CHECKING:
    from airflow_provider_ghl.api.token_store import TokenPair

__all__ = ["login"]

_LOADS = ("associations.readonly", "associations.write", "associations/relation.readonly", "associations/relation.write")
#: What look-ups read. Not by default: it is people's data, which loads of ids need not see.
_LOOKUPS = (
    "contacts.readonly",
    "opportunities.readonly",
    "objects/schema.readonly",
    "objects/record.readonly",
    "locations/customFields.readonly",
)
_AGENCY = ("oauth.readonly", "oauth.write")


def login(arguments: argparse.Namespace, out: Out) -> None:
    """Print the URL, read the code, get the tokens and store them in place of those that were there."""
    conn_id, redirect_uri = arguments.conn_id, arguments.redirect_uri
    settings = Settings.of(get_connection(conn_id))
    app = read_app(settings)
    if app is None:
        raise ConfigurationError(
            f"connection {conn_id!r} has no OAuth app: put client_id and client_secret, from your app's page in HighLevel's "
            "Marketplace, into it"
        )
    tokens = AirflowTokens(conn_id)
    tokens.read()  # fails before the code is used up if tokens cannot be stored
    oauth = make_oauth(settings, Manner(None, Stop()))
    if arguments.code:
        code = _code(arguments.code)
    else:
        scopes = _scopes(arguments, settings)
        code = _ask(authorize_url(app, redirect_uri=redirect_uri, scopes=scopes, host=settings.host))
    refreshed = make_refreshed_token(settings, oauth, tokens)
    pair = oauth.exchange(code, redirect_uri=redirect_uri, user_type="Company" if settings.company_id else "Location")
    _check_owner(settings, pair)
    refreshed.adopt(pair)
    _write(out, conn_id, tokens.name, pair)
    _advise(settings, pair)


def _scopes(arguments: argparse.Namespace, settings: Settings) -> str:
    chosen = arguments.scopes.split() if arguments.scopes else [*_LOADS, *(_AGENCY if settings.company_id else ())]
    return " ".join(dict.fromkeys([*chosen, *(_LOOKUPS if arguments.lookups else ())]))


def _ask(url: str) -> str:
    """Ask for the code, on stderr: stdout is for the answer."""
    sys.stderr.write(
        f"Open this URL, log in to HighLevel, and choose where the app may work:\n\n  {url}\n\n"
        "HighLevel then redirects your browser to the redirect URI, even if nothing answers there.\n"
        "Paste the whole URL from the browser, or the code in it: "
    )
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line.strip():
        raise WrongUsage("no code was entered; --code passes it without a question")
    return _code(line)


def _code(text: str) -> str:
    """The code in what was pasted: the code alone, or the URL that HighLevel redirected to."""
    text = text.strip()
    if "://" not in text and "code=" not in text:
        return text
    try:
        query = parse_qs(urlsplit(text).query or text.lstrip("?"))
    except ValueError:
        query = {}
    if code := query.get("code", [""])[0].strip():
        return code
    reason = escape(query["error"][0])[:80] if "error" in query else "it has no parameter code"
    raise WrongUsage(f"that URL brings no code ({reason}): open the page again, and agree there")


def _check_owner(settings: Settings, pair: TokenPair) -> None:
    """Check that tokens are for the connection's agency or location, before they replace those that are stored.

    :raises ConfigurationError: they are not.
    """
    if settings.company_id and (pair.user_type == "Location" or pair.company_id not in (None, settings.company_id)):
        theirs = f"of agency {pair.company_id}" if pair.user_type != "Location" else f"of location {pair.location_id} alone"
        raise ConfigurationError(
            f"nothing was stored: the tokens are {theirs}, and the connection is of agency {settings.company_id}. Log in again "
            "and choose that agency, or correct company_id"
        )
    if pair.user_type == "Company" and settings.location_id and not settings.company_id:
        raise ConfigurationError(
            f"nothing was stored: the tokens are of agency {pair.company_id}, and the connection is of location "
            f"{settings.location_id} alone. Log in again and choose that location, or put company_id into the connection"
        )
    if pair.location_id and settings.location_id and not settings.company_id and pair.location_id != settings.location_id:
        raise ConfigurationError(
            f"nothing was stored: the tokens are of location {pair.location_id}, and the connection is of "
            f"{settings.location_id}. Log in again and choose that one, or correct location_id"
        )


def _write(out: Out, conn_id: str, name: str, pair: TokenPair) -> None:
    ids = {"company_id": pair.company_id, "location_id": pair.location_id}
    document = {"conn_id": conn_id, "user_type": pair.user_type, **ids, "expires_at": iso(pair.expires_at)}
    lines = facts(
        {
            "connection": conn_id,
            "tokens of": "an agency" if pair.user_type == "Company" else "a location",
            "agency": pair.company_id,
            "location": pair.location_id,
            "access token until": f"{moment(pair.expires_at)}; refreshed by then"
            if pair.refresh_token
            else moment(pair.expires_at),
            "kept in": f"Airflow's Variable {name}",
        }
    )
    out.write({**document, "variable": name}, lines)


def _advise(settings: Settings, pair: TokenPair) -> None:
    """Write what the connection still needs."""
    if pair.user_type == "Company" and not settings.company_id:
        sys.stderr.write(f"These are an agency's tokens: put company_id {pair.company_id} into the connection.\n")
    elif pair.location_id and not settings.location_id and not settings.company_id:
        sys.stderr.write(f"Put location_id {pair.location_id} into the connection.\n")
